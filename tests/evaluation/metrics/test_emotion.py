"""Emotion agreement by hand: probabilities whose logs are known, people who look sad at rest, chance levels."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.metrics.emotion import (
    LOG_FLOOR,
    Change,
    EmotionFilm,
    chance_agreement,
    emotion_metrics,
    emotion_rows,
    label_shifts,
    scores,
    shift_metrics,
    true_rows,
)
from tests.evaluation.fakes import emotion_film

LABELS = ("angry", "happy", "neutral", "sad")


def video(emotion: str, probabilities, identity: str = "p") -> EmotionFilm:
    return emotion_film(emotion, probabilities, LABELS, identity)


def test_scores_are_means_of_probabilities_and_of_logs():
    means, logs = scores(np.array([[0.5, 0.5], [0.1, 0.9]]), ("happy", "sad"))
    assert means["happy"] == pytest.approx(0.3)
    assert logs["happy"] == pytest.approx((np.log(0.5 + LOG_FLOOR) + np.log(0.1 + LOG_FLOOR)) / 2)
    assert scores(np.array([[0.0, 1.0]]), ("happy", "sad"))[1]["happy"] == pytest.approx(np.log(1e-4))


def test_a_face_that_rests_sad_is_seen_by_what_changes():
    rows = emotion_rows([video("neutral", (0.05, 0.05, 0.1, 0.8)), video("angry", (0.3, 0.05, 0.05, 0.6)),
                         video("happy", (0.05, 0.2, 0.1, 0.65)), video("sad", (0.02, 0.02, 0.01, 0.95))])
    assert [row.film.seen for row in rows[1:]] == ["sad"] * 3  # the skin
    assert [row.seen_shift for row in rows[1:]] == ["angry", "happy", "sad"]
    assert rows[1].shift == pytest.approx(np.log(0.3001 / 0.0501))
    assert rows[0].seen_shift is None and rows[0].shift is None
    metrics = emotion_metrics(rows, draws=50, seed=0)
    assert metrics["emo_agree_facex"].value == pytest.approx(1 / 3) and metrics["emo_agree_facex"].n == 3
    assert metrics["emo_shift_facex"].value == 1 and metrics["emo_shift_facex_chance"].value == pytest.approx(1 / 3)
    assert metrics["emo_shift_facex_nats"].value == pytest.approx(
        np.mean([np.log(0.3001 / 0.0501), np.log(0.2001 / 0.0501), np.log(0.9501 / 0.8001)]))
    assert metrics["emo_target_gain_facex"].value == pytest.approx(np.mean([0.25, 0.15, 0.15]))


def shifts_between(probabilities, neutral) -> dict[str, float]:
    return label_shifts(video("happy", probabilities).log_probabilities, video("neutral", neutral).log_probabilities)


def test_neutral_can_gain_and_is_no_candidate():
    shifts = shifts_between((0.0, 0.1, 0.9, 0.0), (0.5, 0.1, 0.1, 0.3))
    assert set(shifts) == {"angry", "happy", "sad"} and max(shifts, key=shifts.__getitem__) == "happy"


def test_a_tiny_probability_that_grows_tenfold_is_no_emotion():
    """1e-7 to 1e-6 lies below the floor: rounding, not a face."""
    shifts = shifts_between((1e-6, 0.8, 0.2, 0.0), (1e-7, 0.7, 0.3, 0.0))
    assert max(shifts, key=shifts.__getitem__) == "happy"


def test_true_clips_are_compared_with_the_same_persons_neutral_ones():
    rows = true_rows([video("neutral", (0.1, 0.1, 0.7, 0.1), "p"), video("neutral", (0.2, 0.1, 0.6, 0.1), "p"),
                      video("happy", (0.1, 0.6, 0.2, 0.1), "p"), video("happy", (0.1, 0.6, 0.2, 0.1), "q")])
    assert rows[2].seen_shift == "happy" and rows[3].seen_shift is None  # q has no neutral clip
    assert rows[2].shift == pytest.approx(np.log(0.6001 / 0.1001))
    found = shift_metrics(rows, 10, 0, "emo_shift_facex_true")
    assert found["emo_shift_facex_true"].n == 1 and found["emo_shift_facex_true"].value == 1


def test_an_emotion_without_a_class_or_a_neutral_video_gives_no_number():
    [row] = emotion_rows([video("contempt", (0.1, 0.1, 0.7, 0.1))])
    assert row.change == Change(None, None, None, None, None) and row.seen_shift is None
    assert emotion_metrics([row], 10, 0) == {}
    assert "emo_shift_facex" not in emotion_metrics(emotion_rows([video("happy", (0.1, 0.1, 0.7, 0.1))]), 10, 0)


def test_chance_agreement_by_hand():
    # labels a, b; answers a, a: dealt at random each answer is right with probability 1/2
    found = chance_agreement(["a", "b"], ["a", "a"], 2000, 0)
    assert found.value == 0.5 and found.n == 2
    # drawn videos: first twice 1, one of each 1/2, second twice 0, with 1/4, 1/2, 1/4
    assert (found.low, found.high) == (0.0, 1.0)
    assert chance_agreement(["a", "b", "c"], ["d", "d", "d"], 10, 0).value == 0.0
    assert chance_agreement(["a", "a", "b"], ["a", "b", "b"], 10, 0).value == pytest.approx(4 / 9)  # 2 x 1 + 1 x 2
    assert chance_agreement(["a"], ["a"], 10, 0).low is None
