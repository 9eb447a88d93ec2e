"""The square around a portrait's face that the face space sees: the source crop.

LivePortrait measures the face by the box of its landmarks (brows to chin), in the frame that the line from the eyes to
the lips spans: the square is 2.3 times as large and moved by 0.125 of its own side towards the forehead. The one square
of a driving video is `models.face.driving_crop.driving_square`, of boxes from the same landmarks
(`models.face.face.outline_box`); `models.face.paste_back` puts a source crop back with `crop_matrix`.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.face.face import CENTRES, Face, Rect, eyes_and_lips, face_rect

SOURCE_SCALE, SOURCE_SHIFT_Y = 2.3, -0.125
TIGHTEST_SCALE = 1.6    # as far as the square shrinks to stay inside the picture
CROP_PX = 512


def crop_portrait(image: np.ndarray, face: Face, upright: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Cut the face out of RGB [H, W, 3] -> [512, 512, 3] and the affine map [2, 3] from picture to crop pixels.

    `upright` turns the head straight and keeps LivePortrait's scale, black beyond the picture; where the face has
    landmarks the square is exactly LivePortrait's. Without `upright` the square is moved and shrunk to stay inside the
    picture as far as it can, because nothing is known beyond.
    """
    rect = landmark_square(face) if upright else _inside(face_square(face), image.shape[1], image.shape[0])
    matrix = crop_matrix(rect)
    shrink = rect.side / CROP_PX
    if shrink > 1:  # average before sampling, or fine texture flickers into aliases
        image = cv2.GaussianBlur(image, (0, 0), 0.4 * shrink)
    border = cv2.BORDER_CONSTANT if upright else cv2.BORDER_REPLICATE
    method = cv2.INTER_LINEAR if shrink > 1 else cv2.INTER_CUBIC
    return cv2.warpAffine(image, matrix, (CROP_PX, CROP_PX), flags=method, borderMode=border), matrix


def face_square(face: Face) -> Rect:
    """The source crop by the face's box, turned as its eyes and mouth are."""
    eyes, mouth = _eyes_and_mouth(face)
    down = (mouth - eyes) / max(np.linalg.norm(mouth - eyes), 1e-6)
    side = float(np.max(face.box[2:] - face.box[:2])) * SOURCE_SCALE
    centre = (face.box[:2] + face.box[2:]) / 2 + down * SOURCE_SHIFT_Y * side
    return Rect(centre, side, float(np.arctan2(-down[0], down[1])))


def landmark_square(face: Face) -> Rect:
    """The source crop by the face's landmarks in the face's own, turned frame; by its box where it has none."""
    if face.outline is None:
        return face_square(face)
    if len(face.outline) in CENTRES:
        return source_rect(face.outline)
    return face_rect(face.outline, *_eyes_and_mouth(face), SOURCE_SCALE, SOURCE_SHIFT_Y)


def source_rect(points: np.ndarray) -> Rect:
    """The square of a portrait with landmarks [106 | 203, 2]."""
    return face_rect(points, *eyes_and_lips(points), SOURCE_SCALE, SOURCE_SHIFT_Y)


def crop_matrix(rect: Rect, size_px: int = CROP_PX) -> np.ndarray:
    """Affine map [2, 3] from the picture's pixels to those of the crop, in which the face is upright."""
    scale = size_px / rect.side
    cos, sin = scale * np.cos(rect.angle_rad), scale * np.sin(rect.angle_rad)
    linear = np.array([[cos, sin], [-sin, cos]])
    return np.concatenate([linear, (size_px / 2 - linear @ rect.centre)[:, None]], axis=1)


def _eyes_and_mouth(face: Face) -> tuple[np.ndarray, np.ndarray]:
    return face.points[:2].mean(axis=0), face.points[3:].mean(axis=0)


def _inside(rect: Rect, width: int, height: int) -> Rect:
    """Straight, and moved and shrunk into the picture."""
    side = max(min(rect.side, width, height), rect.side * TIGHTEST_SCALE / SOURCE_SCALE)
    low = np.minimum(side / 2, [width / 2, height / 2])
    return Rect(np.clip(rect.centre, low, np.array([width, height]) - low), side, 0.0)
