"""Normalisation statistics (eq. 5 and 6) from the moments of clips: no frame is read."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from feature_store.moments import ClipMoments, Moments
from feature_store.reader import ClipRow, FeatureStore
from models.motion.motion import RHO_DIM
from models.motion.normalization import MotionStatistics, Normalizer


def clip_moments(store: FeatureStore, clip: ClipRow) -> Moments:
    """The stored moments of one clip's motion [3K + 7]."""
    mean, m2 = store.moments(clip.clip_id)
    return Moments(clip.frames, mean, m2)


def group_of(clip: ClipRow | ClipMoments, pose_group: str) -> str:
    """The group whose frames give a clip's pose statistics: the clip itself, its person, or everybody."""
    return {"clip": clip.clip_id, "identity": clip.identity, "global": ""}[pose_group]


def by_group(grouped: Iterable[tuple[str, Moments]]) -> dict[str, Moments]:
    """Merged moments of every group, in order of name."""
    total: dict[str, Moments] = {}
    for name, part in grouped:
        total[name] = total[name] + part if name in total else part
    return {name: total[name] for name in sorted(total)}


def motion_statistics(grouped: Iterable[tuple[str, Moments]], min_std: float, pose_group: str) -> MotionStatistics:
    """Eq. 5 over all frames of the clips [3K + 7]; eq. 6 averaged over their groups (as of `group_of`).

    Clips (group, moments) are merged as they come; of each group only the pose's seven dimensions are kept, and of
    groups of one clip only their sum. Raises ValueError where there is no clip.
    """
    total, poses = None, _Alone() if pose_group == "clip" else _Groups()
    for group, part in grouped:
        total = part if total is None else total + part
        poses.add(group, Moments(part.count, part.mean[-RHO_DIM:].copy(), part.m2[-RHO_DIM:].copy()))
    if total is None:
        raise ValueError("there is no training clip to take statistics of")
    pose_mean, pose_std = poses.averages()
    return MotionStatistics(
        expression=Normalizer.of(total.mean[:-RHO_DIM], total.std[:-RHO_DIM], min_std),
        pose_mean=pose_mean, pose_std=pose_std,
        pose_center=total.mean[-RHO_DIM:], pose_spread=total.std[-RHO_DIM:],
        pose_group=pose_group, min_std=min_std)


class _Alone:
    """Averages of mean and deviation over groups of one clip each: a running sum, in the order of the clips."""

    def __init__(self):
        self.count, self.mean, self.std = 0, np.zeros(RHO_DIM), np.zeros(RHO_DIM)

    def add(self, _: str, pose: Moments) -> None:
        self.count, self.mean, self.std = self.count + 1, self.mean + pose.mean, self.std + pose.std

    def averages(self) -> tuple[np.ndarray, np.ndarray]:
        return self.mean / self.count, self.std / self.count


class _Groups:
    """The same over groups of several clips, in order of their names."""

    def __init__(self):
        self.by_name: dict[str, Moments] = {}

    def add(self, group: str, pose: Moments) -> None:
        self.by_name[group] = self.by_name[group] + pose if group in self.by_name else pose

    def averages(self) -> tuple[np.ndarray, np.ndarray]:
        poses = [self.by_name[name] for name in sorted(self.by_name)]
        return np.mean([pose.mean for pose in poses], axis=0), np.mean([pose.std for pose in poses], axis=0)


def pose_normalizers(store: FeatureStore, clips: list[ClipRow], statistics: MotionStatistics) -> dict[str, Normalizer]:
    """Eq. 6 of every clip: by its own frames, or by those of its person among `clips`."""
    groups = {clip.clip_id: group_of(clip, statistics.pose_group) for clip in clips}
    total = by_group((groups[clip.clip_id], clip_moments(store, clip)) for clip in clips)
    return {clip_id: statistics.pose_of(total[group].mean[-RHO_DIM:], total[group].std[-RHO_DIM:])
            for clip_id, group in groups.items()}
