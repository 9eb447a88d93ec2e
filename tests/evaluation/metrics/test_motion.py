from __future__ import annotations

import numpy as np
import pytest

from evaluation.metrics.motion import (
    audio_beats,
    beat_alignment,
    chance_beat_alignment,
    diversity,
    jitter,
    lip_vertex_error,
    motion_beats,
    mouth_correlation,
    pearson,
    value_range,
)
from models.motion.blinks import count_blinks

FPS = 25


def mouth(frames: int = 150, seed: int = 0) -> np.ndarray:
    return np.convolve(np.random.default_rng(seed).normal(size=frames + 4), np.ones(5) / 5, mode="valid")


@pytest.mark.parametrize("lag", [-2, -1, 0, 1, 2])
def test_a_late_mouth_is_found_at_its_lag_whatever_its_size(lag):
    long = mouth(160)
    found = mouth_correlation(long[5:155], 3 * long[5 - lag:155 - lag] + 7, max_lag=2)
    assert found.lag == lag and found.r == pytest.approx(1.0)
    assert (found.r_lag0 == pytest.approx(1.0)) == (lag == 0)


def test_another_mouth_does_not_correlate_and_an_inverted_one_does_negatively():
    assert abs(mouth_correlation(mouth(2000), mouth(2000, 1), 0).r) < 0.1
    assert mouth_correlation(mouth(), -mouth(), 0).r == pytest.approx(-1.0)


def test_a_frozen_mouth_scores_zero_and_missing_frames_are_left_out():
    assert pearson(mouth(), np.full(150, 0.3)) == 0.0
    broken = mouth()
    broken[10:20] = np.nan
    assert mouth_correlation(mouth(), broken, 2).r == pytest.approx(1.0)


def test_curves_of_different_length_are_refused():
    with pytest.raises(ValueError, match="one length"):
        mouth_correlation(mouth(50), mouth(51), 2)


def test_blinks_are_counted_once_and_closed_eyes_are_none():
    eyes = np.full(250, 0.3)
    for start in (30, 100, 180):
        eyes[start:start + 4] = [0.2, 0.05, 0.05, 0.2]
    assert count_blinks(eyes, FPS) == 3
    eyes[101:104] = [0.10, 0.17, 0.10]  # noise around the lower threshold inside one blink
    assert count_blinks(eyes, FPS) == 3
    eyes[200:240] = 0.0  # 1.6 s shut
    assert count_blinks(eyes, FPS) == 3
    assert count_blinks(eyes * 0.1, FPS) == 3


def test_jitter_and_range_by_hand():
    assert jitter(np.arange(10.0) * 3) == pytest.approx(0)  # steady motion has none
    assert jitter(np.array([0, 1, 0, 1, 0.0])) == pytest.approx(np.std([-2, 2, -2]))
    assert value_range(np.linspace(0, 100, 1001)) == pytest.approx(90)
    with pytest.raises(ValueError, match="three frames"):
        jitter(np.zeros(2))


def test_diversity_and_lip_vertex_error_by_hand():
    still = np.zeros((2, 4, 3, 3))
    assert diversity(still) == 0
    still[1, ..., 0] = 2.0
    assert diversity(still) == 2.0
    lips = np.zeros((2, 3, 3))
    moved = lips.copy()
    moved[0, 1] = [3, 4, 0]  # frame 0: largest distance 5; frame 1: 0
    assert lip_vertex_error(lips, moved) == 2.5


def test_beat_alignment_is_one_on_the_beat_and_above_chance():
    beats = np.array([10, 35, 60, 85])
    assert beat_alignment(beats, beats, FPS) == 1.0
    assert beat_alignment(beats, beats + 2, FPS) == pytest.approx(np.exp(-0.5))  # 0.08 s = sigma
    assert beat_alignment(beats, beats, FPS) > 3 * chance_beat_alignment(beats, beats, 100, FPS)
    assert beat_alignment(beats, np.array([]), FPS) is None


def test_beats_are_where_sound_starts_and_where_the_head_turns_round():
    sound = np.zeros(16000 * 2)
    for onset in (8000, 20000):
        sound[onset:onset + 3200] = np.sin(np.arange(3200) * 0.3)
    assert np.abs(audio_beats(sound, 16000, FPS) - np.array([12, 31])).max() <= 1
    yaw = 10 * np.sin(2 * np.pi * np.arange(100) / 50)  # speed is zero at 12.5, 37.5, 62.5, 87.5
    found = motion_beats(np.stack([0 * yaw, yaw, 0 * yaw], 1), FPS)
    assert len(found) == 4 and np.abs(found - np.array([12.5, 37.5, 62.5, 87.5])).max() <= 1
