"""Frechet distance between two sets of features, from streamed moments (Heusel et al. 2017; pytorch-fid 0.3.0).

d = |mu1 - mu2|^2 + tr S1 + tr S2 - 2 tr sqrt(S1 S2), sample covariances (ddof 1), float64. The last trace is a
sum over eigenvalues, not a matrix square root: tr sqrt(S1 S2) = sum sqrt(eig(S1^1/2 S2 S1^1/2)), which is real
and needs no epsilon. The number carries a published name (FID) only with the published network in front.

Features arrive clip by clip, in memory that does not grow with their number: up to as many samples as dimensions they
are kept, and the distance is exact and quick from their singular values; beyond that only moments are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.metrics.bootstrap import Interval

GROUPS = 10  # of the jackknife: clip i is in group i mod 10, its generated and its true frames together
Z = 1.96


@dataclass(frozen=True)
class Moments:
    """Count, mean [D] and scatter sum (x - mean)(x - mean)^T [D, D] of features; `+` merges in any order."""

    count: int
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> Moments:
        """Moments of features [N, D], N >= 1."""
        features = np.asarray(features, np.float64)
        if features.ndim != 2 or len(features) == 0:
            raise ValueError(f"features must be [N, D] with N >= 1, got {features.shape}")
        mean = features.mean(0)
        centred = features - mean
        return cls(len(features), mean, centred.T @ centred)

    def __add__(self, other: Moments) -> Moments:
        count = self.count + other.count
        gap = other.mean - self.mean
        scatter = self.scatter + other.scatter + np.outer(gap, gap) * (self.count * other.count / count)
        return Moments(count, self.mean + gap * (other.count / count), scatter)

    @property
    def covariance(self) -> np.ndarray:
        """Sample covariance [D, D]; raises ValueError with fewer than two samples."""
        if self.count < 2:
            raise ValueError("a covariance needs at least two samples")
        return self.scatter / (self.count - 1)


def merge(parts: list[Moments]) -> Moments:
    """Moments of the union of all parts."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def frechet_distance(mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray) -> float:
    """Distance of N(mean1 [D], cov1 [D, D]) and N(mean2, cov2)."""
    root = _square_root(cov1)
    eigenvalues = np.linalg.eigvalsh(root @ cov2 @ root)
    cross = np.sqrt(np.where(eigenvalues > _noise(eigenvalues), eigenvalues, 0.0)).sum()
    gap = mean1 - mean2
    return float(gap @ gap + np.trace(cov1) + np.trace(cov2) - 2.0 * cross)


def frechet_of_moments(first: Moments, second: Moments) -> float:
    """Distance of two streamed feature sets."""
    return frechet_distance(first.mean, first.covariance, second.mean, second.covariance)


def frechet_of_features(first: np.ndarray, second: np.ndarray) -> float:
    """Distance of two small feature sets [N, D], [M, D], N, M >= 2: tr sqrt(S1 S2) is the nuclear norm of A B^T, where
    S1 = A^T A and S2 = B^T B, so that no D x D matrix is needed."""
    first, second = (np.asarray(features, np.float64) for features in (first, second))
    if min(len(first), len(second)) < 2:
        raise ValueError("a covariance needs at least two samples")
    a, b = ((features - features.mean(0)) / np.sqrt(len(features) - 1) for features in (first, second))
    gap = first.mean(0) - second.mean(0)
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(gap @ gap + np.square(a).sum() + np.square(b).sum() - 2.0 * cross)


def _square_root(matrix: np.ndarray) -> np.ndarray:
    eigenvalues, vectors = np.linalg.eigh(matrix)
    kept = np.sqrt(np.where(eigenvalues > _noise(eigenvalues), eigenvalues, 0.0))
    return (vectors * kept) @ vectors.T


def _noise(eigenvalues: np.ndarray) -> float:
    """Eigenvalues below this are rounding of zero; the square root would blow them up (1e-16 -> 1e-8 each)."""
    return float(np.abs(eigenvalues).max(initial=0.0) * len(eigenvalues) * np.finfo(np.float64).eps)


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
    sides = [[kept for group in groups if (kept := group[side].features()) is not None] for side in (0, 1)]
    if len(sides[0]) == len(sides[1]) == len(groups):
        first, second = np.concatenate(sides[0]), np.concatenate(sides[1])
        if len(first) + len(second) <= 2 * first.shape[1]:
            return frechet_of_features(first, second)
    return frechet_of_moments(*(merge([group[side].moments() for group in groups]) for side in (0, 1)))
