"""Error over repeats of a passage, with a generator whose error is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from evaluation.ablation.long_speech import error_over_time, make_passage
from evaluation.jobs.clip import Clip
from models.face.points import NUM_KEYPOINTS
from models.motion.normalization import Normalizer
from tests.evaluation.fakes import LOWER, motion_of, rest_keypoints

FRAMES, DIM = 50, 3 * NUM_KEYPOINTS
MOVES = 3 * LOWER + 1  # the one expression dimension of `motion_of`
STD = 0.25


def clip(name: str, identity: str, seed: int) -> Clip:
    mouth = np.random.default_rng(seed).uniform(0.2, 0.8, FRAMES)
    return Clip(name, "hdtf", identity, "", rest_keypoints(), motion_of(mouth), np.ones((FRAMES, 2), np.float32), 3)


class Drifting:
    """Repeats the truth; in repeat k its lip hangs k times `step` too low."""

    def __init__(self, truth: np.ndarray, step: float):
        alive = np.arange(DIM) == MOVES
        self.statistics = SimpleNamespace(expression=Normalizer(np.zeros(DIM), np.full(DIM, STD), alive))
        self.truth, self.step = truth, step

    def generate_batch(self, requests):
        made = np.tile(self.truth, (len(requests[0].speech) // len(self.truth), 1))
        made[:, MOVES] += self.step * (np.arange(len(made)) // len(self.truth))
        return [made for _ in requests]


def test_a_passage_is_one_persons_speech_as_often_as_it_takes():
    passage = make_passage([clip("a", "p", 0), clip("b", "q", 1), clip("c", "p", 2)], seconds=12.0)
    assert len(passage) == 2 * FRAMES and passage.times == 3 and passage.clip_id == "a"
    assert np.array_equal(passage.motion[FRAMES:], clip("c", "p", 2).motion)
    assert make_passage([clip("a", "p", 0)], seconds=1.0).times == 2


def test_an_error_that_grows_is_seen_in_deviations_and_a_mouth_that_only_hangs_still_follows():
    passage = make_passage([clip("a", "p", 0)], seconds=6.0)
    rows = error_over_time(passage, "in use", Drifting(passage.motion, step=0.1))
    assert [row.repeat for row in rows] == [1, 2, 3] and [row.start_s for row in rows] == [0, 2, 4]
    first, second, third = (row.numbers for row in rows)
    errors = [each["expression_error"] for each in (first, second, third)]
    assert errors == pytest.approx([0, 0.4, 0.8], abs=1e-5)  # 0.1 and 0.2 over 0.25
    assert first["mouth_r"] == pytest.approx(1) and third["expression_spread"] > first["expression_spread"]


def test_a_steady_model_has_a_flat_curve():
    passage = make_passage([clip("a", "p", 0)], seconds=6.0)
    rows = error_over_time(passage, "in use", Drifting(passage.motion, step=0.0))
    assert {row.numbers[name] for row in rows for name in ("expression_error", "yaw_jitter_deg")} == {0.0}
