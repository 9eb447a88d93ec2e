"""Frechet distance between two sets of features, from streamed moments (Heusel et al. 2017; pytorch-fid 0.3.0).

d = |mu1 - mu2|^2 + tr S1 + tr S2 - 2 tr sqrt(S1 S2), sample covariances (ddof 1), float64. The last trace is a
sum over eigenvalues, not a matrix square root: tr sqrt(S1 S2) = sum sqrt(eig(S1^1/2 S2 S1^1/2)), which is real
and needs no epsilon. The number carries a published name (FID) only with the published network in front.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
