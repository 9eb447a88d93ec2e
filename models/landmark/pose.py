"""Head pose by a similarity transform between point sets (Umeyama, IEEE PAMI 13(4), 1991)."""

from __future__ import annotations

import numpy as np

from models.landmark.template import RIGID_POINTS, Template


def fit_similarity(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Least squares s, R, t with target = s (source R) + t, for row vectors.

    source [N, 3], target [..., N, 3] -> s [..., 1], R [..., 3, 3] (a proper rotation), t [..., 3].
    """
    source_mean, target_mean = source.mean(-2), target.mean(-2)
    centred, moved = source - source_mean, target - target_mean[..., None, :]
    u, singular, vt = np.linalg.svd(np.swapaxes(np.broadcast_to(centred, moved.shape), -1, -2) @ moved)
    sign = np.ones_like(singular)
    sign[..., -1] = np.sign(np.linalg.det(u @ vt))  # a reflection is no head pose
    rotation = (u * sign[..., None, :]) @ vt
    scale = ((singular * sign).sum(-1) / (centred**2).sum((-1, -2)))[..., None]
    translation = target_mean - scale * (source_mean[..., None, :] @ rotation)[..., 0, :]
    return scale, rotation, translation


def unpose(
    points: np.ndarray, scale: np.ndarray, rotation: np.ndarray, translation: np.ndarray
) -> np.ndarray:
    """Head-frame points Y = (x - t) R^T / s; points [..., N, 3], scale [..., 1], rotation [..., 3, 3]."""
    return (points - translation[..., None, :]) @ np.swapaxes(rotation, -1, -2) / scale[..., None]


def fit_head(template: Template, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pose of landmarks [T, 478, 3]: s [T, 1], R [T, 3, 3], t [T, 3] (t_z = 0) and unposed Y [T, 478, 3].

    Y is in face widths of the canonical face; x = s (Y R) + t holds but for one depth that all points share.
    """
    points, rigid = points.astype(np.float64), list(RIGID_POINTS)
    scale, rotation, translation = fit_similarity(template.vertices[rigid], points[..., rigid, :])
    return scale, rotation, translation * [1.0, 1.0, 0.0], unpose(points, scale, rotation, translation)
