"""What is done to generated motion: lids are held open, and what somebody directs moves as told; a curve of ones leaves
its part bit for bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.generation.request import Request
from models.motion.clock import at_frames
from models.motion.face_space import FaceSpace
from models.motion.motion import RHO_DIM

ANGLES = slice(4, 7)  # of rho


def direct(space: FaceSpace, windows: Iterator[np.ndarray], request: Request,
           rest: np.ndarray) -> Iterator[np.ndarray]:
    """Windows [n, 3K + 7] of motion, one after the other, with head, mouth and eyes as the request's curves say.

    Blinks are drawn later (models/motion/blinks.py): here the lids that the model itself would nearly shut give way.

    `rest` [K, 3]: the model's mean delta.
    """
    frame, curves, own = 0, request.curves, request.source_rho
    for window in windows:
        delta, rho = window[:, :-RHO_DIM].reshape(len(window), -1, 3), window[:, -RHO_DIM:]
        if curves.pose_scale is not None:
            rho = scale_pose(rho, own, at_frames(curves.pose_scale, frame, len(window)))
        if curves.mouth_scale is not None:
            delta = space.scale_mouth(delta, rest, at_frames(curves.mouth_scale, frame, len(window)))
        if space.knows_eyes:
            delta = space.hold_lids(request.x_c, delta, rest)
        if curves.gaze is not None and request.source_delta is not None:
            delta = space.hold_gaze(request.x_c, delta, rho[:, ANGLES], request.source_delta, own[ANGLES],
                                    at_frames(curves.gaze, frame, len(window)))
        frame += len(window)
        yield np.concatenate([delta.reshape(len(window), -1), rho], axis=1).astype(window.dtype)


def scale_pose(rho: np.ndarray, own: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Poses [T, 7] whose deviation from the portrait's own [7] is scaled by [T]: own + scale (rho - own).

    Exactly `rho` where the scale is 1 and exactly `own` where it is 0, the pose of `still`.
    """
    share = np.asarray(scale, np.float64)[:, None]
    return share * rho + (1 - share) * np.asarray(own, np.float64)
