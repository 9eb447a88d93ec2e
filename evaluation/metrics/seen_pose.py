"""Head pose and lips as the landmarker sees them in a video: what can be said of motion whoever made it.

Poses are turns against the video's own first face, so no template of a head is needed and ranges, jitter and beats
mean the same in every video.
"""

from __future__ import annotations

import numpy as np

from evaluation.metrics.curves import LIPS
from evaluation.metrics.lip_sync import fill_gaps
from models.landmark.pose import fit_similarity
from models.landmark.template import RIGID_POINTS
from models.motion.camera import angles_from_rotation

_EYE_OUTER = (33, 263)


def head_angles_deg(points: np.ndarray) -> np.ndarray:
    """(pitch, yaw, roll) [T, 3] of undistorted landmarks [T, 478, 3] against the first face; NaN rows are filled over
    time. Raises ValueError where no frame has a face."""
    found = np.flatnonzero(np.isfinite(points).all((1, 2)))
    if found.size == 0:
        raise ValueError("no frame has a face")
    rigid = points[:, list(RIGID_POINTS)].astype(np.float64)
    angles = np.full((len(points), 3), np.nan)
    angles[found] = angles_from_rotation(fit_similarity(rigid[found[0]], rigid[found])[1])
    return np.stack([fill_gaps(curve) for curve in angles.T], axis=1)


def seen_lip_error(reference: np.ndarray, generated: np.ndarray) -> float:
    """Largest distance of a lip point to the true one of the same time, mean over frames with a face in both, in
    distances of the outer eye corners; each generated face is laid on the true one by its rigid points, so that pose
    and size do not count. Undistorted landmarks [T, 478, 3] both; raises ValueError where no frame has both."""
    both = np.flatnonzero(np.isfinite(reference).all((1, 2)) & np.isfinite(generated).all((1, 2)))
    if both.size == 0:
        raise ValueError("no frame has a face in both videos")
    true, made = (each[both].astype(np.float64) for each in (reference, generated))
    errors = [_lip_error(made_face, true_face) for made_face, true_face in zip(made, true, strict=True)]
    return float(np.mean(errors))


def _lip_error(made: np.ndarray, true: np.ndarray) -> float:
    rigid, lips = list(RIGID_POINTS), list(LIPS)
    scale, rotation, shift = fit_similarity(made[rigid], true[rigid])
    laid = scale * (made[lips] @ rotation) + shift
    return float(np.linalg.norm(laid - true[lips], axis=1).max() / np.linalg.norm(np.subtract(*true[list(_EYE_OUTER)])))
