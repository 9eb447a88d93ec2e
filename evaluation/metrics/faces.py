"""Cuts of a face for the metric networks, from MediaPipe's 478 landmarks in crop coordinates [-1, 1]."""

from __future__ import annotations

import numpy as np

from models.face.face import align_face

# the same five among the landmarks: each eye as the middle of its corners, nose tip, mouth corners
_EYES = ((33, 133), (362, 263))
_NOSE, _CORNERS = 4, (61, 291)
# sides of the square relative to the landmarks' box; a classifier's answers are averaged over them, because facex
# was trained behind a Haar detector, whose boxes vary by about this much
BOX_SCALES = (1.0, 1.15)


def to_pixels(points: np.ndarray, width: int, height: int) -> np.ndarray:
    """Crop coordinates [..., 2 or 3] -> pixels [..., 2] of a picture."""
    return (points[..., :2] + 1.0) * np.array([width, height]) / 2.0


def undo_aspect(points: np.ndarray, width: int, height: int) -> np.ndarray:
    """Crop coordinates [..., 3], each side of the picture spanning [-1, 1] -> all in half widths; z is already."""
    return points * np.array([1.0, height / width, 1.0], np.float32)


def five_points(points_px: np.ndarray) -> np.ndarray:
    """478 landmarks [478, 2] -> the five points of ArcFace [5, 2]."""
    eyes = [points_px[list(corners)].mean(0) for corners in _EYES]
    return np.stack([*eyes, points_px[_NOSE], *points_px[list(_CORNERS)]])


def align(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Frame [H, W, 3] and its landmarks [478, 3] -> the face [112, 112, 3] in ArcFace's alignment."""
    height, width = frame.shape[:2]
    return align_face(frame, five_points(to_pixels(points, width, height)))


def face_box(frame: np.ndarray, points: np.ndarray, scale: float) -> np.ndarray:
    """The square [S, S, 3] around a face's landmarks; what leaves the picture is black."""
    height, width = frame.shape[:2]
    pixels = to_pixels(points, width, height)
    low, high = pixels.min(0), pixels.max(0)
    side = max(2, round(float((high - low).max()) * scale))
    x, y = np.round((low + high) / 2 - side / 2).astype(int)
    box = np.zeros((side, side, 3), frame.dtype)
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    if right > left and bottom > top:
        box[top - y:bottom - y, left - x:right - x] = frame[top:bottom, left:right]
    return box
