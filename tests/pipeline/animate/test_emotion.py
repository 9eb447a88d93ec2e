from __future__ import annotations

import numpy as np
import pytest

from pipeline.animate.emotion import as_weights

LABELS = ("neutral", "happy", "sad")


def test_one_emotion_is_one_row_and_null_takes_the_rest():
    np.testing.assert_allclose(as_weights("happy:0.7", LABELS, 10, 25), [0, 0.7, 0, 0.3], atol=1e-6)
    np.testing.assert_allclose(as_weights({"sad": 0.5, "happy": 0.5}, LABELS, 10, 25), [0, 0.5, 0.5, 0])
    assert as_weights(None, LABELS, 10, 25) is None
    assert as_weights([], LABELS, 10, 25) is None


def test_emotions_over_time_fade_into_each_other():
    """happy until 1 s, then sad: at 25 fps the middle of the fade lies between frames 24 (0.98 s) and 25 (1.02 s)."""
    weights = as_weights(["happy", "sad@1.0"], LABELS, 50, 25)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(weights[[0, 19, 24, 25, 30, 49], 2], [0, 0, 0.45, 0.55, 1, 1], atol=1e-6)
    np.testing.assert_array_equal(as_weights("happy; sad@1.0", LABELS, 50, 25), weights)


def test_before_the_first_start_nothing_is_asked_for():
    weights = as_weights("happy@2", LABELS, 100, 25)
    np.testing.assert_allclose(weights[0], [0, 0, 0, 1])
    np.testing.assert_allclose(weights[-1], [0, 1, 0, 0])


@pytest.mark.parametrize("texts", [["happy@x"], ["happy", "sad"], ["happy@-1"], ["happy@nan"], ["hungry"],
                                   ["happy", "sad@0.41"], ["happy:0.5,happy:0.2"]])
def test_bad_emotions_are_refused(texts):
    with pytest.raises(ValueError, match="emotion"):
        as_weights(texts, LABELS, 10, 25)
