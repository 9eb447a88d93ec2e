"""Eyeballs under the lids: the portrait's own eyes, drawn on past their outline, moved by head pose and gaze.

The lids are the mesh's; an eyeball shows where the lids leave it free, so that a blink covers it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.face.points import (
    EYE_CONTOUR_LOWER_LEFT,
    EYE_CONTOUR_LOWER_RIGHT,
    EYE_CONTOUR_UPPER_LEFT,
    EYE_CONTOUR_UPPER_RIGHT,
)
from models.landmark.matte import pull_push
from models.landmark.patch import Window, composite, polygon_mask, smooth_outline, warp_patch, window_of

CONTOURS = ((EYE_CONTOUR_UPPER_RIGHT, EYE_CONTOUR_LOWER_RIGHT), (EYE_CONTOUR_UPPER_LEFT, EYE_CONTOUR_LOWER_LEFT))
_GAZE_LIMIT = 0.12  # of the eye's width


@dataclass(frozen=True)
class Eye:
    edges: tuple[tuple[int, ...], tuple[int, ...]]  # upper and lower lid
    patch: np.ndarray  # [h, w, 3] float32
    window: Window  # where the patch lies in the portrait
    depth: float
    width_px: float


def prepare_eyes(image: np.ndarray, pixels: np.ndarray, depth: np.ndarray) -> tuple[Eye, ...]:
    """image [S, S, 3] uint8, face points [468, 2] in pixels and their depth [468]."""
    return tuple(_prepare_eye(image, pixels, depth, upper, lower) for upper, lower in CONTOURS)


def _prepare_eye(image, pixels, depth, upper, lower) -> Eye:
    edges = (upper, lower)
    outline = _outline(pixels, edges)
    width = float(np.linalg.norm(pixels[upper[0]] - pixels[upper[-1]]))
    window = window_of(outline, image.shape[0], margin=round(0.6 * width) + 2)
    if window is None:
        return Eye(edges, np.zeros((1, 1, 3), np.float32), Window(0, 0, 1, 1), 0.0, 0.0)
    mask = polygon_mask(outline, window)
    core = cv2.erode(mask, np.ones((3, 3), np.uint8))
    area = image[window.rows, window.columns].astype(np.float32)
    filled = pull_push(area, core) if core.sum() > 4 else area
    return Eye(edges, mask[..., None] * area + (1 - mask[..., None]) * filled, window,
               float(depth[[*upper, *lower]].mean()), width)


def paint_eye(eye: Eye, frame: np.ndarray, pixels: np.ndarray, move: np.ndarray, gaze_px: np.ndarray) -> None:
    """Paint into frame; face points [468, 2] px, move [2, 3]: portrait px -> frame px at the eye, gaze [2] px."""
    outline = _outline(pixels, eye.edges)
    window = window_of(outline, frame.shape[0], margin=2)
    if window is None or eye.width_px == 0:
        return
    limit = _GAZE_LIMIT * eye.width_px
    shift = gaze_px * min(1.0, limit / max(float(np.linalg.norm(gaze_px)), 1e-9))
    affine = move.copy()
    affine[:, 2] += shift + affine[:, :2] @ [eye.window.x, eye.window.y]
    composite(frame, window, warp_patch(eye.patch, affine, window), polygon_mask(outline, window))


def _outline(pixels: np.ndarray, edges: tuple[tuple[int, ...], tuple[int, ...]]) -> np.ndarray:
    return smooth_outline(pixels[list(edges[0])], pixels[list(edges[1])])
