from __future__ import annotations

import numpy as np
import pytest

from evaluation.metrics.lip_sync import fill_gaps, fit_speech_to_mouth, mouth_sync

DIM = 6


def talk(seed: int, frames: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Speech features and the mouth that they ask for: a fixed mix of two of them, two frames apart."""
    rng = np.random.default_rng(seed)
    smooth = np.stack([np.convolve(rng.normal(size=frames + 4), np.ones(5) / 5, mode="valid") for _ in range(DIM)], 1)
    return 5 + 3 * smooth, 0.2 + 0.05 * (smooth[:, 1] - np.roll(smooth[:, 4], 2))


@pytest.fixture(scope="module")
def model():
    return fit_speech_to_mouth([talk(seed) for seed in range(5)], ridge=1e-6)


def test_an_unseen_clip_is_predicted_and_found_in_sync(model):
    speech, mouth = talk(99)
    score = mouth_sync(model.predict(speech), mouth)
    assert score.offset == 0 and score.peak > 0.98 and score.confidence > 0.8
    assert model.frames == 1000


@pytest.mark.parametrize("late", [-4, 3])
def test_the_offset_is_the_pictures_delay(model, late):
    speech, mouth = talk(98)
    score = mouth_sync(model.predict(speech), np.roll(mouth, late))
    assert score.offset == late and score.r_lag0 < score.peak


def test_wrong_speech_and_a_frozen_face_score_low(model):
    _, mouth = talk(97)
    wrong = mouth_sync(model.predict(talk(96)[0]), mouth)
    assert wrong.peak < 0.5
    assert mouth_sync(model.predict(talk(96)[0]), np.full(200, 0.2)).peak == 0.0


def test_a_strong_ridge_shrinks_to_the_mean():
    flat = fit_speech_to_mouth([talk(0)], ridge=1e9)
    assert np.abs(flat.predict(talk(1)[0])).max() < 1e-6


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="moving mouth"):
        fit_speech_to_mouth([(np.ones((50, DIM)), np.ones(50))], 1.0)
    with pytest.raises(ValueError, match="above 30"):
        mouth_sync(np.zeros(30), np.zeros(30))
    with pytest.raises(ValueError, match="no frame"):
        fill_gaps(np.full(3, np.nan))


def test_gaps_are_filled_linearly():
    assert fill_gaps([np.nan, 1.0, np.nan, 3.0, np.nan]).tolist() == [1, 1, 2, 3, 3]
