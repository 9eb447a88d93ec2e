"""The square around a portrait's face that the face space sees: the source crop.

LivePortrait measures the face by the box of its landmarks (brows to chin): the square is 2.3 times as large and moved
by 0.125 of its own side towards the forehead.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.face import source_crop as liveportrait
from models.face.detectors import Face
from models.face.source_crop import CENTRES, CROP_PX, SOURCE_SCALE, SOURCE_SHIFT_Y, Rect, face_rect, source_rect

TIGHTEST_SCALE = 1.6    # as far as the square shrinks to stay inside the picture


def crop_portrait(image: np.ndarray, face: Face, upright: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Cut the face out of RGB [H, W, 3] -> [512, 512, 3] and the affine map [2, 3] from picture to crop pixels.

    `upright` turns the head straight and keeps LivePortrait's scale, black beyond the picture; where the face has
    landmarks the square is exactly LivePortrait's (`models.face.source_crop`). Without `upright` the square is
    moved and shrunk to stay inside the picture as far as it can, because nothing is known beyond.
    """
    centre, side, angle_rad = landmark_square(face) if upright and face.outline is not None else face_square(face)
    if not upright:
        angle_rad = 0.0
        centre, side = _inside(centre, side, image.shape[1], image.shape[0])
    matrix = crop_matrix(centre, side, angle_rad)
    shrink = side / CROP_PX
    if shrink > 1:  # average before sampling, or fine texture flickers into aliases
        image = cv2.GaussianBlur(image, (0, 0), 0.4 * shrink)
    border = cv2.BORDER_CONSTANT if upright else cv2.BORDER_REPLICATE
    method = cv2.INTER_LINEAR if shrink > 1 else cv2.INTER_CUBIC
    return cv2.warpAffine(image, matrix, (CROP_PX, CROP_PX), flags=method, borderMode=border), matrix


def face_square(face: Face) -> tuple[np.ndarray, float, float]:
    """Centre [2] px, side px and roll (radians) of the source crop."""
    eyes, mouth = face.points[:2].mean(axis=0), face.points[3:].mean(axis=0)
    down = (mouth - eyes) / max(np.linalg.norm(mouth - eyes), 1e-6)
    side = float(np.max(face.box[2:] - face.box[:2])) * SOURCE_SCALE
    centre = (face.box[:2] + face.box[2:]) / 2 + down * SOURCE_SHIFT_Y * side
    return centre, side, float(np.arctan2(-down[0], down[1]))


def landmark_square(face: Face) -> tuple[np.ndarray, float, float]:
    """As `face_square`, from the box of the face's landmarks in the face's own, turned frame."""
    points = face.outline
    if points is None:
        raise ValueError("this face has no outline to crop by")
    if len(points) in CENTRES:
        rect = source_rect(points)
    else:
        eyes, mouth = face.points[:2].mean(axis=0), face.points[3:].mean(axis=0)
        rect = face_rect(points, eyes, mouth, SOURCE_SCALE, SOURCE_SHIFT_Y)
    return rect.centre, rect.side, rect.angle_rad


def crop_matrix(centre: np.ndarray, side: float, angle_rad: float) -> np.ndarray:
    """Affine map [2, 3] from the picture's pixels to the crop's; the direction `angle_rad` off down becomes down."""
    return liveportrait.crop_matrix(Rect(centre, side, angle_rad))


def _inside(centre: np.ndarray, side: float, width: int, height: int) -> tuple[np.ndarray, float]:
    side = max(min(side, width, height), side * TIGHTEST_SCALE / SOURCE_SCALE)
    low = np.minimum(side / 2, [width / 2, height / 2])
    return np.clip(centre, low, np.array([width, height]) - low), side
