"""What is done to generated motion where somebody directs it; a curve of ones leaves its part bit for bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.generation.request import Curves
from models.motion.face_space import FaceSpace
from models.motion.motion import RHO_DIM


def directed(space: FaceSpace, windows: Iterator[np.ndarray], curves: Curves, source_rho: np.ndarray,
             rest: np.ndarray) -> Iterator[np.ndarray]:
    """Windows [n, 3K + 7] of motion, one after the other, with head and mouth scaled.

    `source_rho` [7]: the portrait's own pose; `rest` [K, 3]: the model's mean delta.
    """
    frame = 0
    for window in windows:
        delta, rho = window[:, :-RHO_DIM].reshape(len(window), -1, 3), window[:, -RHO_DIM:]
        if curves.pose_scale is not None:
            rho = scaled_pose(rho, source_rho, at_frames(curves.pose_scale, frame, len(window)))
        if curves.mouth_scale is not None:
            delta = space.scale_mouth(delta, rest, at_frames(curves.mouth_scale, frame, len(window)))
        frame += len(window)
        yield np.concatenate([delta.reshape(len(window), -1), rho], axis=1).astype(window.dtype)


def scaled_pose(rho: np.ndarray, own: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Poses [T, 7] whose deviation from the portrait's own [7] is scaled by [T]: own + scale (rho - own).

    Exactly `rho` where the scale is 1 and exactly `own` where it is 0, the pose of `still`.
    """
    share = np.asarray(scale, np.float64)[:, None]
    return share * rho + (1 - share) * np.asarray(own, np.float64)


def at_frames(curve: np.ndarray, start: int, count: int) -> np.ndarray:
    """`count` rows of a curve [T, ...] from frame `start` on, its ends repeated."""
    return curve[(start + np.arange(count)).clip(0, len(curve) - 1)]
