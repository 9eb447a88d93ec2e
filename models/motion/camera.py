"""Head pose and the key point transform of LivePortrait (paper 3.1, eq. 1).

Angles are degrees, points are row vectors, axes are x right, y down, z away from the viewer, and one crop
spans [-1, 1]. Leading dimensions (batch, time) broadcast. Works on NumPy arrays in float32 or float64.
"""

from __future__ import annotations

import numpy as np


def rotation_from_angles(angles_deg: np.ndarray) -> np.ndarray:
    """Turn (pitch, yaw, roll) in degrees [..., 3] into R [..., 3, 3] for row vectors: R = (Rz Ry Rx)^T."""
    pitch, yaw, roll = np.moveaxis(np.radians(angles_deg), -1, 0)
    sin_x, cos_x, sin_y, cos_y = np.sin(pitch), np.cos(pitch), np.sin(yaw), np.cos(yaw)
    sin_z, cos_z = np.sin(roll), np.cos(roll)
    columns = [  # the rows of (Rz Ry Rx) become the columns of R
        [cos_y * cos_z, sin_x * sin_y * cos_z - cos_x * sin_z, cos_x * sin_y * cos_z + sin_x * sin_z],
        [cos_y * sin_z, sin_x * sin_y * sin_z + cos_x * cos_z, cos_x * sin_y * sin_z - sin_x * cos_z],
        [-sin_y, sin_x * cos_y, cos_x * cos_y],
    ]
    return np.stack([np.stack(column, axis=-1) for column in columns], axis=-1)


def angles_from_rotation(rotation: np.ndarray) -> np.ndarray:
    """Invert `rotation_from_angles` for |yaw| < 90: R [..., 3, 3] -> (pitch, yaw, roll) degrees [..., 3]."""
    yaw = np.arcsin(np.clip(-rotation[..., 0, 2], -1.0, 1.0))
    pitch = np.arctan2(rotation[..., 1, 2], rotation[..., 2, 2])
    roll = np.arctan2(rotation[..., 0, 1], rotation[..., 0, 0])
    return np.degrees(np.stack([pitch, yaw, roll], axis=-1))


def transform_keypoints(x_c, delta, rotation, translation, scale):
    """Eq. 1: x = s (x_c R + delta) + t.

    x_c [..., K, 3], delta [..., K, 3], rotation [..., 3, 3], translation [..., 3], scale [..., 1]
    -> x [..., K, 3] in crop coordinates.
    """
    return scale[..., None] * (x_c @ rotation + delta) + translation[..., None, :]


def transform_head_keypoints(x_c, delta, rotation, translation, scale):
    """Eq. 1 with delta in the head's frame: x = s ((x_c + delta) R) + t, so that no pose hides in delta.

    Equals `transform_keypoints` with delta R for delta; shapes as there.
    """
    return scale[..., None] * ((x_c + delta) @ rotation) + translation[..., None, :]
