"""LivePortrait's crop of a source portrait, in which the face is upright.

It comes from landmarks: their box in the frame that the line from the eyes to the lips spans, made square, enlarged and
moved along that line. The one square of a driving video is `models.face.driving_crop.driving_square`, of boxes from
the same landmarks (`models.face.face.outline_box`); `models.face.paste_back` puts a source crop back with
`crop_matrix`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SOURCE_SCALE, SOURCE_SHIFT_Y = 2.3, -0.125
CROP_PX = 512
# landmark set -> the points whose means are the left eye, the right eye, the lips
CENTRES = {203: ([0, 6, 12, 18], [24, 30, 36, 42], [48, 66]),
           106: ([33, 35, 40, 39], [87, 89, 94, 93], [52, 61])}


@dataclass(frozen=True)
class Rect:
    """A square in pixels of a picture: centre [2], side, and the angle by which the face is turned clockwise."""

    centre: np.ndarray
    side: float
    angle_rad: float


def eyes_and_lips(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres [2] of both eyes together and of the lips, in landmarks [106, 2] or [203, 2]; raises ValueError."""
    if points.ndim != 2 or len(points) not in CENTRES:
        raise ValueError(f"landmarks are {points.shape}, expected [106, 2] or [203, 2]")
    left, right, lips = (points[rows].mean(0) for rows in CENTRES[len(points)])
    return (left + right) / 2, lips


def face_rect(points: np.ndarray, eyes: np.ndarray, lips: np.ndarray, scale: float, shift_y: float) -> Rect:
    """Square around landmarks [N, 2]; `shift_y` is a share of its side, towards the lips where positive."""
    down = lips - eyes
    length = np.linalg.norm(down)
    down = down / length if length > 1e-3 else np.array([0.0, 1.0])
    axes = np.array([[down[1], -down[0]], down])  # rows: the face's right (in the picture) and down
    middle = points.mean(0)
    turned = (points - middle) @ axes.T
    low, high = turned.min(0), turned.max(0)
    side = scale * float(np.max(high - low))
    centre = middle + ((low + high) / 2 + [0.0, shift_y * side]) @ axes
    return Rect(centre, side, float(np.arctan2(-down[0], down[1])))


def source_rect(points: np.ndarray) -> Rect:
    """The square of a portrait with landmarks [106 | 203, 2]."""
    return face_rect(points, *eyes_and_lips(points), SOURCE_SCALE, SOURCE_SHIFT_Y)


def crop_matrix(rect: Rect, size_px: int = CROP_PX) -> np.ndarray:
    """Affine map [2, 3] from the picture's pixels to those of the crop, in which the face is upright."""
    scale = size_px / rect.side
    cos, sin = scale * np.cos(rect.angle_rad), scale * np.sin(rect.angle_rad)
    linear = np.array([[cos, sin], [-sin, cos]])
    return np.concatenate([linear, (size_px / 2 - linear @ rect.centre)[:, None]], axis=1)
