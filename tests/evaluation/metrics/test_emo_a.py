"""Emo-A's rules on logits by hand: three aggregations that disagree, and the table per class by name."""

from __future__ import annotations

import numpy as np

from evaluation.metrics.emotion import emo_a, video_label
from tests.evaluation.fakes import emotion_film

LABELS = ("angry", "happy", "sad")
# happy wins two frames narrowly, sad wins one by far; angry is second everywhere
LOGITS = np.array([[1.9, 2.0, 0.0], [1.9, 2.0, 0.0], [1.0, 0.0, 9.0]])


def test_three_rules():
    assert video_label(LOGITS, LABELS, "mean_logits") == "sad"  # 1.6, 1.33, 3
    assert video_label(LOGITS, LABELS, "mean_probs") == "sad"  # 0.296, 0.327, 0.377
    assert video_label(LOGITS, LABELS, "vote") == "happy"
    even = np.log(np.array([[0.6, 0.4, 1e-9], [0.1, 0.55, 0.35]]))
    assert video_label(even, LABELS, "mean_probs") == "happy"  # 0.35, 0.475, 0.175
    assert video_label(even, LABELS, "vote") == "angry"  # a tie goes to the first label
    moved = even + np.array([[100.0], [0.0]])  # a frame's logits have no zero of their own
    assert video_label(moved, LABELS, "mean_probs") == "happy"


def test_percent_and_classes_by_name():
    films = [emotion_film(asked, emo_a_seen=seen) for asked, seen in (
        ("happy", "happy"), ("happy", "sad"), ("sad", "sad"), ("contempt", "angry"))]
    found = emo_a([*films, emotion_film("happy")], draws=20, seed=0)  # a film without the network does not count
    assert found["emo_a"].value == 50 and found["emo_a"].n == 4
    assert {name: interval.value for name, interval in found.items() if "." in name} == {
        "emo_a.contempt": 0, "emo_a.happy": 50, "emo_a.sad": 100}
    assert emo_a([], 20, 0) == {}
