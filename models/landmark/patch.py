"""Small painted areas of a frame: a window, an antialiased polygon mask, a warped patch, a blend."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_OVERSAMPLING = 4


@dataclass(frozen=True)
class Window:
    """A rectangle of the frame in pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def rows(self) -> slice:
        return slice(self.y, self.y + self.height)

    @property
    def columns(self) -> slice:
        return slice(self.x, self.x + self.width)


def window_of(points: np.ndarray, size: int, margin: int) -> Window | None:
    """Window around points [N, 2] px with a margin, inside a frame of `size`; None where nothing is left."""
    low = np.maximum(np.floor(points.min(0)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(points.max(0)).astype(int) + margin + 1, size)
    if (high - low < 2).any():
        return None
    return Window(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))


def smooth_outline(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Closed outline [N, 2] through two edges [n, 2] that share both ends, by Catmull-Rom splines."""
    return np.concatenate([smooth_edge(upper), smooth_edge(lower)[-2:0:-1]])


def smooth_edge(edge: np.ndarray, parts: int = 4) -> np.ndarray:
    """Catmull-Rom spline [(n - 1) * parts + 1, 2] through the points of an edge [n, 2]."""
    padded = np.concatenate([2 * edge[:1] - edge[1:2], edge, 2 * edge[-1:] - edge[-2:-1]])
    a, b, c, d = padded[:-3, None], padded[1:-2, None], padded[2:-1, None], padded[3:, None]
    u = (np.arange(parts) / parts)[None, :, None]
    curve = b + 0.5 * u * (c - a + u * (2 * a - 5 * b + 4 * c - d + u * (3 * (b - c) + d - a)))
    return np.concatenate([curve.reshape(-1, edge.shape[1]), edge[-1:]])


def polygon_mask(points: np.ndarray, window: Window) -> np.ndarray:
    """Coverage [h, w] float32 in [0, 1] of a polygon [N, 2] px in a window."""
    fine = np.zeros((window.height * _OVERSAMPLING, window.width * _OVERSAMPLING), np.uint8)
    corners = (points - [window.x, window.y] + 0.5) * _OVERSAMPLING - 0.5
    corners = np.clip(np.round(corners), -(1 << 15), 1 << 15)
    cv2.fillPoly(fine, [corners.astype(np.int32)], 255)
    mask = cv2.resize(fine, (window.width, window.height), interpolation=cv2.INTER_AREA)
    return mask.astype(np.float32) / 255


def warp_patch(patch: np.ndarray, affine: np.ndarray, window: Window) -> np.ndarray:
    """patch [h, w, C] float32 moved by affine [2, 3] (patch px -> frame px) into a window; zero outside it."""
    moved = affine - np.array([[0, 0, window.x], [0, 0, window.y]])
    return cv2.warpAffine(patch, moved, (window.width, window.height), flags=cv2.INTER_LINEAR)


def composite(frame: np.ndarray, window: Window, colour: np.ndarray, opacity: np.ndarray) -> None:
    """Blend colour [h, w, 3] with opacity [h, w] into frame [S, S, 3] uint8, in place."""
    below = frame[window.rows, window.columns].astype(np.float32)
    blended = below + opacity[..., None] * (colour - below)
    frame[window.rows, window.columns] = np.clip(blended + 0.5, 0, 255).astype(np.uint8)
