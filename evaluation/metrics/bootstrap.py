"""Intervals and tests over clips: the clip, not the frame, is the unit that is drawn (frames are dependent)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

EXACT_UP_TO = 14  # clips: all 2^n sign patterns are tried


@dataclass(frozen=True)
class Interval:
    """A number over `n` clips with its 95 % interval; with one clip there is no interval (low = high = None)."""

    value: float
    low: float | None
    high: float | None
    n: int


def mean_interval(values: Sequence[float], draws: int, seed: int, level: float = 0.95) -> Interval:
    """Mean of one number per clip and its percentile bootstrap interval, seeded; raises ValueError when empty."""
    numbers = np.asarray(values, np.float64)
    if numbers.size == 0 or not np.isfinite(numbers).all():
        raise ValueError(f"a mean needs finite numbers, got {values}")
    return statistic_interval((numbers,), np.mean, draws, seed, level)


def statistic_interval(samples: tuple[np.ndarray, ...], statistic: Callable[..., np.ndarray], draws: int, seed: int,
                       level: float = 0.95) -> Interval:
    """A statistic of samples [N], drawn together clip by clip, and its percentile interval.

    `statistic(*samples, axis)` reduces that axis of arrays [..., N].
    """
    value, count = float(statistic(*samples, axis=-1)), len(samples[0])
    if count == 1:
        return Interval(value, None, None, 1)
    found = stats.bootstrap(samples, statistic, n_resamples=draws, paired=True, vectorized=True, method="percentile",
                            confidence_level=level, rng=np.random.default_rng(seed)).confidence_interval
    return Interval(value, float(found.low), float(found.high), count)


def paired_p_value(first: Sequence[float], second: Sequence[float], draws: int, seed: int) -> float:
    """Two-sided sign-flip test that the mean of first - second over the same clips is zero.

    Exact for up to 14 clips, otherwise `draws` seeded sign patterns; the observed pattern counts, so p > 0.
    """
    gaps = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    if gaps.ndim != 1 or gaps.size == 0:
        raise ValueError(f"a paired test needs the same clips in both lists, got shape {gaps.shape}")
    patterns = 2 ** gaps.size if gaps.size <= EXACT_UP_TO else draws
    return float(stats.permutation_test((gaps,), lambda flipped, axis: np.abs(flipped.mean(axis)), vectorized=True,
                                        permutation_type="samples", alternative="greater", n_resamples=patterns,
                                        rng=np.random.default_rng(seed)).pvalue)
