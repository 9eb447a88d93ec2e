"""The square around a face: LivePortrait's rule for driving videos, one fixed square for a whole clip."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Square:
    """A square in pixels of the upright picture; it may reach outside."""

    x: float     # centre
    y: float
    side: float


def driving_square(boxes: np.ndarray, scale: float, shift_y: float) -> Square:
    """Mean over frames of each box's square, `scale` times its larger side and moved by `shift_y` of that (up: < 0).

    boxes [T, 4]: left, top, right, bottom of the landmarks (brows to chin) in every frame. One square for the clip,
    because squares per frame would cancel the motion of the head. Raises ValueError for no or impossible boxes.
    """
    boxes = np.asarray(boxes, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or len(boxes) == 0 or not np.isfinite(boxes).all():
        raise ValueError(f"boxes must be finite [T, 4] with T > 0, got shape {boxes.shape}")
    sides = scale * np.max(boxes[:, 2:] - boxes[:, :2], axis=1)
    if sides.min() <= 0:
        raise ValueError("a box has no area")
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    x, y = centres[:, 0].mean(), (centres[:, 1] + shift_y * sides).mean()
    return Square(float(x), float(y), float(sides.mean()))


def cut(image: np.ndarray, square: Square, size_px: int) -> np.ndarray:
    """image [H, W, 3] -> the square as [size_px, size_px, 3]; outside the picture its border is repeated."""
    side = max(1, round(square.side))
    left, top = round(square.x - side / 2), round(square.y - side / 2)
    height, width = image.shape[:2]
    x = slice(max(0, min(left, width - 1)), max(1, min(left + side, width)))
    y = slice(max(0, min(top, height - 1)), max(1, min(top + side, height)))
    inside = np.ascontiguousarray(image[y, x])
    above, below, before, after = (max(0, px) for px in (y.start - top, top + side - y.stop,
                                                         x.start - left, left + side - x.stop))
    if above or below or before or after:
        inside = cv2.copyMakeBorder(inside, above, below, before, after, cv2.BORDER_REPLICATE)[:side, :side]
    return cv2.resize(inside, (size_px, size_px),
                      interpolation=cv2.INTER_AREA if side > size_px else cv2.INTER_CUBIC)
