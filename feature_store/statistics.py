"""Mergeable moments in float64: statistics over any number of clips without reading a frame twice.

Merging is that of Chan, Golub and LeVeque (1979): exact up to rounding, in any order and grouping.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from feature_store.reader import ClipRow, FeatureStore
from models.motion import RHO_DIM
from models.normalization import MotionStatistics, Normalizer


@dataclass(frozen=True)
class Moments:
    """Count, mean [D] and sum of squared distances from the mean [D] of a set of vectors."""

    count: int
    mean: np.ndarray
    m2: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Moments:
        """values [N, D], N >= 1."""
        values = np.asarray(values, np.float64)
        mean = values.mean(0)
        return cls(len(values), mean, ((values - mean) ** 2).sum(0))

    @classmethod
    def empty(cls, dim: int) -> Moments:
        """The neutral element of `+`."""
        return cls(0, np.zeros(dim), np.zeros(dim))

    def __add__(self, other: Moments) -> Moments:
        count = self.count + other.count
        if count == 0:
            return self
        step = other.mean - self.mean
        return Moments(count, self.mean + step * (other.count / count),
                       self.m2 + other.m2 + step**2 * (self.count * other.count / count))

    @property
    def std(self) -> np.ndarray:
        """Deviation of the population (1/N) [D]."""
        return np.sqrt(self.m2 / max(self.count, 1))


def clip_moments(store: FeatureStore, clip: ClipRow) -> Moments:
    """The stored moments of one clip's motion [3K + 7]."""
    mean, m2 = store.moments(clip.clip_id)
    return Moments(clip.frames, mean, m2)


def merged(moments: Iterable[Moments], dim: int) -> Moments:
    """All of them as one."""
    total = Moments.empty(dim)
    for part in moments:
        total = total + part
    return total


def pose_groups(clips: list[ClipRow], pose_group: str) -> list[str]:
    """The group whose frames give each clip's pose statistics: the clip itself, its person, or everybody."""
    return [{"clip": clip.clip_id, "identity": clip.identity, "global": ""}[pose_group] for clip in clips]


def by_group(moments: Iterable[Moments], groups: Iterable[str]) -> dict[str, Moments]:
    """Merged moments of every group, in order of name."""
    total: dict[str, Moments] = {}
    for part, name in zip(moments, groups, strict=True):
        total[name] = total[name] + part if name in total else part
    return {name: total[name] for name in sorted(total)}


def motion_statistics(moments: list[Moments], groups: list[str], min_std: float, pose_group: str) -> MotionStatistics:
    """Eq. 5 over all frames of the clips [3K + 7]; eq. 6 averaged over `groups` (as of `pose_groups`)."""
    if not moments:
        raise ValueError("there is no training clip to take statistics of")
    total = merged(moments, len(moments[0].mean))
    poses = by_group(moments, groups).values()
    return MotionStatistics(
        expression=Normalizer.of(total.mean[:-RHO_DIM], total.std[:-RHO_DIM], min_std),
        pose_mean=np.mean([pose.mean[-RHO_DIM:] for pose in poses], axis=0),
        pose_std=np.mean([pose.std[-RHO_DIM:] for pose in poses], axis=0),
        pose_center=total.mean[-RHO_DIM:], pose_spread=total.std[-RHO_DIM:],
        pose_group=pose_group, min_std=min_std)


def pose_normalizers(store: FeatureStore, clips: list[ClipRow], statistics: MotionStatistics) -> dict[str, Normalizer]:
    """Eq. 6 of every clip: by its own frames, or by those of its person among `clips`."""
    groups = pose_groups(clips, statistics.pose_group)
    total = by_group((clip_moments(store, clip) for clip in clips), groups)
    return {clip.clip_id: statistics.pose_of(total[group].mean[-RHO_DIM:], total[group].std[-RHO_DIM:])
            for clip, group in zip(clips, groups, strict=True)}
