from __future__ import annotations

import itertools

import numpy as np
import pytest

from evaluation.metrics.bootstrap import mean_interval, paired_p_value, statistic_interval


def test_interval_of_two_clips_is_their_range():
    interval = mean_interval([0.0, 1.0], draws=2000, seed=0)  # means drawn: 0, 0.5, 1 with 1/4, 1/2, 1/4
    assert (interval.value, interval.low, interval.high, interval.n) == (0.5, 0.0, 1.0, 2)


def test_interval_agrees_with_the_normal_theory():
    values = np.random.default_rng(3).normal(5, 2, 400)
    interval = mean_interval(list(values), draws=4000, seed=1)
    half = 1.96 * values.std(ddof=1) / 20
    assert interval.low == pytest.approx(values.mean() - half, abs=0.03)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.03)


def test_interval_is_seeded_and_one_clip_has_none():
    values = [0.1, 0.5, 0.2, 0.9]
    assert mean_interval(values, 100, 7) == mean_interval(values, 100, 7)
    assert mean_interval(values, 100, 7) != mean_interval(values, 100, 8)
    assert mean_interval([0.4], 100, 0).low is None


@pytest.mark.parametrize("values", [[], [0.1, float("nan")]])
def test_nothing_or_nan_is_refused(values):
    with pytest.raises(ValueError, match="finite"):
        mean_interval(values, 10, 0)


def test_exact_sign_flip_by_hand():
    # gaps 1, 1, 1: of 8 sign patterns only +++ and --- reach |mean| 1 -> 2/8
    assert paired_p_value([2, 2, 2], [1, 1, 1], draws=10, seed=0) == 0.25
    # gaps 3, -1: |sums| 2, 4, 4, 2 all reach 2 -> 1
    assert paired_p_value([3, 0], [0, 1], draws=10, seed=0) == 1.0


def test_many_clips_are_sampled_and_tell_a_difference():
    rng = np.random.default_rng(0)
    base = rng.normal(size=60)
    assert paired_p_value(list(base + 1), list(base + rng.normal(0, 0.1, 60)), 999, 0) == pytest.approx(0.001)
    assert paired_p_value(list(base), list(base + rng.normal(0, 1, 60)), 999, 0) > 0.01


def test_samples_are_drawn_together():
    """Of the pairs (0, 0) and (1, 1) every sample has a difference of zero; drawn apart they would have up to 1."""
    pair = np.array([0.0, 1.0])
    found = statistic_interval((pair, pair), lambda a, b, axis: a.mean(axis) - b.mean(axis), 200, 0)
    assert (found.low, found.value, found.high) == (0.0, 0.0, 0.0)


def test_the_exact_test_counts_every_pattern():
    gaps = np.array([0.3, -0.1, 0.7, 0.25, -0.4, 0.9])
    sums = [abs(np.dot(signs, gaps)) for signs in itertools.product((1, -1), repeat=6)]
    by_hand = np.mean([total >= abs(gaps.sum()) - 1e-12 for total in sums])
    assert paired_p_value(gaps, np.zeros(6), draws=5, seed=0) == pytest.approx(by_hand, abs=1e-12)
