"""Random windows."""

from __future__ import annotations

import numpy as np
import pytest

from feature_store.windows import sample_windows

FRAMES = np.array([75, 60, 55, 20, 200])
SETTINGS = {"count": 400, "window": 50, "previous": 10, "start_share": 0.2}


def test_windows_are_a_function_of_seed_and_step():
    first = sample_windows(FRAMES, seed=1, step=5, **SETTINGS)
    assert first == sample_windows(FRAMES, seed=1, step=5, **SETTINGS)
    assert first != sample_windows(FRAMES, seed=1, step=6, **SETTINGS)
    assert first != sample_windows(FRAMES, seed=2, step=5, **SETTINGS)


def test_windows_and_their_previous_frames_lie_inside_their_clip():
    for window in sample_windows(FRAMES, seed=0, step=0, **SETTINGS):
        assert window.start - window.previous >= 0 and window.start + 50 <= FRAMES[window.clip]


def test_a_clip_too_short_for_previous_frames_starts_anew_and_one_too_short_for_a_window_is_never_drawn():
    windows = sample_windows(FRAMES, seed=0, step=0, **SETTINGS)
    assert {window.previous for window in windows if window.clip == 2} == {0}
    assert 3 not in {window.clip for window in windows}


def test_all_places_are_about_equally_likely():
    windows = sample_windows(np.array([51, 52]), 0, 0, count=9000, window=50, previous=10, start_share=0.0)
    places = [(w.clip, w.start) for w in windows]
    counts = [places.count(place) for place in [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)]]
    assert sum(counts) == 9000 and max(counts) < 1.15 * min(counts)


def test_the_share_of_starts():
    windows = sample_windows(np.array([500]), 0, 0, count=4000, window=50, previous=10, start_share=0.2)
    assert 0.17 < np.mean([window.previous == 0 for window in windows]) < 0.23
    assert {w.previous for w in sample_windows(np.array([500]), 0, 0, 100, 50, 10, start_share=0.0)} == {10}


def test_the_first_place_of_all_is_a_start_at_frame_0():
    starts = {w.start for w in sample_windows(np.array([60]), 0, 0, 500, 50, 10, start_share=1.0)}
    assert starts == set(range(11))


def test_no_clip_long_enough_is_an_error():
    with pytest.raises(ValueError, match="no clip has 50 frames"):
        sample_windows(np.array([49, 3]), 0, 0, **SETTINGS)
