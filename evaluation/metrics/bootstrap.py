"""Intervals and tests over clips: the clip, not the frame, is the unit that is drawn (frames are dependent)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

EXACT_UP_TO = 14  # clips: all 2^n sign patterns are tried


@dataclass(frozen=True)
class Interval:
    """A number over `n` clips with its 95 % interval; with one clip there is no interval (low = high = None)."""

    value: float
    low: float | None
    high: float | None
    n: int


def mean_interval(values: list[float], draws: int, seed: int, level: float = 0.95) -> Interval:
    """Mean of one number per clip and its percentile bootstrap interval, seeded; raises ValueError when empty."""
    numbers = np.asarray(values, np.float64)
    if numbers.size == 0 or not np.isfinite(numbers).all():
        raise ValueError(f"a mean needs finite numbers, got {values}")
    if numbers.size == 1:
        return Interval(float(numbers[0]), None, None, 1)
    return percentile_interval(float(numbers.mean()), numbers[picked(numbers.size, draws, seed)].mean(1), numbers.size,
                               level)


def picked(count: int, draws: int, seed: int) -> np.ndarray:
    """Which of `count` clips each of `draws` samples holds, with repeats, seeded: [draws, count]."""
    return np.random.default_rng(seed).integers(0, count, (draws, count))


def percentile_interval(value: float, drawn: np.ndarray, count: int, level: float = 0.95) -> Interval:
    """`value` of `count` clips with the percentiles of the same statistic of drawn samples [draws]."""
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), count)


def paired_p_value(first: list[float], second: list[float], draws: int, seed: int) -> float:
    """Two-sided sign-flip test that the mean of first - second over the same clips is zero.

    Exact for up to 14 clips, otherwise `draws` seeded sign patterns; the observed pattern counts, so p > 0.
    """
    gaps = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    if gaps.ndim != 1 or gaps.size == 0:
        raise ValueError(f"a paired test needs the same clips in both lists, got shape {gaps.shape}")
    observed = abs(gaps.mean()) * (1 - 1e-12)  # the pattern itself must not fall out by rounding
    if gaps.size <= EXACT_UP_TO:
        signs = np.array(list(itertools.product((1, -1), repeat=gaps.size)))
        return float((np.abs(signs @ gaps) / gaps.size >= observed).mean())
    signs = np.random.default_rng(seed).choice((1, -1), (draws, gaps.size))
    return float(((np.abs(signs @ gaps) / gaps.size >= observed).sum() + 1) / (draws + 1))
