"""Backward map of a deformed triangle mesh: for every target pixel, where in the source picture it comes from."""

from __future__ import annotations

import cv2
import numpy as np

_SHIFT = 4  # polygons are drawn with 1/16 pixel precision
_SLIVER = 8.0  # source pixels to a target pixel


def backward_affines(source: np.ndarray, target: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Affine maps target -> source of triangles [F, 3] over vertices [V, 2] -> [F, 2, 3]; degenerate: NaN."""
    a, b, c = (target[triangles[:, k]] for k in range(3))
    p, q, r = (source[triangles[:, k]] for k in range(3))
    u, v, du, dv = b - a, c - a, q - p, r - p
    with np.errstate(divide="ignore", invalid="ignore"):
        det = 1.0 / (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
    linear = np.empty((len(triangles), 2, 2))  # columns: d source / d target_x, d source / d target_y
    linear[:, :, 0] = (du * v[:, 1:] - dv * u[:, 1:]) * det[:, None]
    linear[:, :, 1] = (dv * u[:, :1] - du * v[:, :1]) * det[:, None]
    linear[~np.isfinite(linear).all((1, 2))] = np.nan
    offset = p - (linear * a[:, None, :]).sum(-1)
    return np.concatenate([linear, offset[:, :, None]], -1)


def slivers_first(order: np.ndarray, affines: np.ndarray) -> np.ndarray:
    """`order` [n] of triangles with affines [F, 2, 3], those squeezed into slivers first, as good as covered by others.

    Polygons are drawn with their outline, so a sliver colours pixels whose centres lie outside it; there its steep map
    reaches far from it in the source, and single pixels of something else would show.
    """
    squeezed = np.abs(affines[order, :, :2]).max((1, 2)) > _SLIVER
    return np.concatenate([order[squeezed], order[~squeezed]])


def draw_triangle_ids(target: np.ndarray, triangles: np.ndarray, order: np.ndarray, size: int) -> np.ndarray:
    """Which triangle covers each pixel [size, size] int32 (-1: none); later ones in `order` cover earlier ones."""
    ids = np.full((size, size), -1, np.int32)
    corners = np.round(target[triangles] * (1 << _SHIFT)).astype(np.int32)  # [F, 3, 2]
    corners = np.clip(corners, -(1 << 15), 1 << 15)
    fill = cv2.fillConvexPoly
    for index in order.tolist():
        fill(ids, corners[index], index, cv2.LINE_8, _SHIFT)
    return ids
