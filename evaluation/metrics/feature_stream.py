"""Frechet distances over features that arrive clip by clip, in memory that does not grow with their number.

Up to as many samples as dimensions the features themselves are kept: the distance is then exact and quick from their
singular values. Beyond that only moments are kept.
"""

from __future__ import annotations

import numpy as np

from evaluation.metrics.bootstrap import Interval
from evaluation.metrics.frechet import Moments, frechet_of_features, frechet_of_moments, merge

GROUPS = 10  # of the jackknife: clip i is in group i mod 10, its generated and its true frames together
Z = 1.96


class FeatureStream:
    """One set of features [N, D]."""

    def __init__(self) -> None:
        self._pieces: list[np.ndarray] = []
        self._moments: Moments | None = None
        self.count = 0

    def add(self, features: np.ndarray) -> None:
        """Take [n, D]; n = 0 is no sample."""
        if len(features) == 0:
            return
        self._pieces.append(np.array(features, np.float64))
        self.count += len(features)
        if sum(map(len, self._pieces)) > features.shape[1]:
            self._moments, self._pieces = self.moments(), []

    def moments(self) -> Moments:
        """Of all that was added; raises ValueError where that is nothing."""
        parts = [self._moments] if self._moments is not None else []
        return merge([*parts, *([Moments.of(np.concatenate(self._pieces))] if self._pieces else [])])

    def features(self) -> np.ndarray | None:
        """[N, D], or None where only moments are left."""
        return np.concatenate(self._pieces) if self._pieces and self._moments is None else None


class PairedStream:
    """True and generated features of clips, in groups for the jackknife."""

    def __init__(self) -> None:
        self.groups = [(FeatureStream(), FeatureStream()) for _ in range(GROUPS)]
        self.clips = 0

    def add(self, true: np.ndarray, made: np.ndarray) -> None:
        """Features of one clip."""
        group = self.groups[self.clips % GROUPS]
        group[0].add(true)
        group[1].add(made)
        self.clips += 1

    def interval(self) -> Interval | None:
        """Distance of the two sets and its delete-a-group jackknife interval; None with fewer than two samples a side.

        A bootstrap would draw clips twice, which by itself raises this distance.
        """
        groups = [group for group in self.groups if group[0].count and group[1].count]
        if min((sum(group[side].count for group in groups) for side in (0, 1)), default=0) < 2:
            return None
        value = _distance(groups)
        rest = [groups[:g] + groups[g + 1:] for g in range(len(groups))]
        if len(groups) < 2 or min(sum(group[side].count for group in part) for part in rest for side in (0, 1)) < 2:
            return Interval(value, None, None, self.clips)
        left_out = np.array([_distance(part) for part in rest])
        error = Z * np.sqrt((len(groups) - 1) / len(groups) * np.square(left_out - left_out.mean()).sum())
        return Interval(value, max(0.0, float(value - error)), float(value + error), self.clips)


def _distance(groups: list[tuple[FeatureStream, FeatureStream]]) -> float:
    sides = [[group[side].features() for group in groups] for side in (0, 1)]
    if all(features is not None for side in sides for features in side):
        first, second = (np.concatenate(side) for side in sides)
        if len(first) + len(second) <= 2 * first.shape[1]:
            return frechet_of_features(first, second)
    return frechet_of_moments(*(merge([group[side].moments() for group in groups]) for side in (0, 1)))
