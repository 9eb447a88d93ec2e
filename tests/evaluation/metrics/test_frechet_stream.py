"""Streamed Frechet distances: the same numbers as at once, in memory that does not grow."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from evaluation.metrics.frechet import (
    GROUPS,
    FeatureStream,
    Moments,
    PairedStream,
    frechet_of_features,
    frechet_of_moments,
)


@pytest.mark.parametrize("clips", [1, 4, 60])
def test_clip_by_clip_is_the_distance_of_the_whole(clips):
    """One and four clips stay below the number of dimensions, sixty go far beyond it."""
    rng = np.random.default_rng(clips)
    true, made = rng.normal(size=(clips, 5, 40)), rng.normal(0.2, 1.1, (clips, 5, 40))
    stream = PairedStream()
    for pair in zip(true, made, strict=True):
        stream.add(*pair)
    first, second = true.reshape(-1, 40), made.reshape(-1, 40)
    found = stream.interval()
    assert found.value == pytest.approx(frechet_of_features(first, second), rel=1e-9) and found.n == clips
    assert found.value == pytest.approx(frechet_of_moments(Moments.of(first), Moments.of(second)), rel=1e-6)
    assert (found.low is None) is (clips == 1)


def test_jackknife_by_hand_in_one_dimension():
    stream = PairedStream()
    twos = ([1, 3], [1, 3], [4, 6])
    for two in twos:
        stream.add(np.array([[0.0], [2.0]]), np.array(two, float)[:, None])
    ones = np.array([0, 2] * 2, float)[:, None]
    left_out = [frechet_of_features(ones, np.array(twos[a] + twos[b], float)[:, None])
                for a, b in ((1, 2), (0, 2), (0, 1))]
    spread = 1.96 * np.sqrt(2 / 3 * np.square(np.array(left_out) - np.mean(left_out)).sum())
    found = stream.interval()
    assert found.high - found.value == pytest.approx(spread)
    assert found.low == pytest.approx(max(0.0, found.value - spread))


def test_clips_without_features_and_single_samples_give_no_distance():
    stream = PairedStream()
    stream.add(np.zeros((0, 400)), np.zeros((0, 400)))  # shorter than 16 frames: no clip for FVD
    assert stream.interval() is None
    stream.add(np.zeros((1, 400)), np.ones((1, 400)))
    assert stream.interval() is None


def peak_bytes(frames: int, dim: int = 64, per_clip: int = 50) -> int:
    rng = np.random.default_rng(0)
    tracemalloc.start()
    stream = PairedStream()
    for _ in range(frames // per_clip):
        features = rng.normal(size=(2, per_clip, dim)).astype(np.float32)
        stream.add(features[0], features[1])
    assert stream.interval().n == frames // per_clip
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_hundred_thousand_frames_need_no_more_memory_than_a_few_thousand():
    """From 2 * GROUPS * dim samples on every group holds moments; a thousand frames with fewer are kept as they are."""
    few = peak_bytes(2 * GROUPS * 64 + 720)
    assert peak_bytes(100_000) < 1.1 * few
    assert peak_bytes(1_000) < few


def test_a_stream_keeps_features_only_while_they_are_few():
    stream = FeatureStream()
    stream.add(np.ones((3, 4)))
    assert stream.features().shape == (3, 4)
    stream.add(np.zeros((2, 4)))
    assert stream.features() is None and stream.moments().count == 5
