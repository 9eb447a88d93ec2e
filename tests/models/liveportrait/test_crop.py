"""LivePortrait's crop rules by hand, on landmark sets whose box is known, and back into the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.face.face import CENTRES, eyes_and_lips, face_rect
from models.face.paste_back import PasteBack
from models.face.source_crop import crop_matrix, source_rect


def landmarks(count: int, turn_rad: float = 0.0, at: tuple[float, float] = (500.0, 400.0)) -> np.ndarray:
    """[count, 2]: a box 100 wide and 120 high, eyes at y -40, lips at y 20 of its centre, turned clockwise about it."""
    points = np.zeros((count, 2))
    left, right, lips = CENTRES[count]
    points[left], points[right], points[lips] = (-25.0, -40.0), (25.0, -40.0), (0.0, 20.0)
    free = [index for index in range(count) if index not in (*left, *right, *lips)]
    points[free[:4]] = [(-50, -60), (50, -60), (-50, 60), (50, 60)]
    cos, sin = np.cos(turn_rad), np.sin(turn_rad)
    return points @ np.array([[cos, sin], [-sin, cos]]) + at


@pytest.mark.parametrize("count", [106, 203])
def test_eyes_and_lips(count):
    eyes, lips = eyes_and_lips(landmarks(count))
    assert eyes.tolist() == pytest.approx([500, 360]) and lips.tolist() == pytest.approx([500, 420])


def test_other_numbers_of_landmarks_are_refused():
    with pytest.raises(ValueError, match=r"\(68, 2\)"):
        eyes_and_lips(np.zeros((68, 2)))


@pytest.mark.parametrize("count", [106, 203])
def test_the_source_square_by_hand(count):
    """The larger side is 120: 2.3 x 120 = 276; 0.125 of that, 34.5, towards the forehead."""
    rect = source_rect(landmarks(count))
    assert rect.side == pytest.approx(276) and rect.angle_rad == pytest.approx(0)
    assert rect.centre.tolist() == pytest.approx([500, 365.5])


def test_a_turned_face_has_the_same_square_turned():
    """30 degrees clockwise: up is (sin 30, -cos 30) in the picture."""
    rect = source_rect(landmarks(203, np.radians(30)))
    assert rect.side == pytest.approx(276) and np.degrees(rect.angle_rad) == pytest.approx(30)
    assert rect.centre.tolist() == pytest.approx([500 + 34.5 * 0.5, 400 - 34.5 * np.sqrt(0.75)])


def test_the_crop_turns_the_face_upright():
    points = landmarks(203, np.radians(-40))
    matrix = crop_matrix(source_rect(points), 512)
    eyes, lips = (matrix[:, :2] @ point + matrix[:, 2] for point in eyes_and_lips(points))
    assert eyes[0] == pytest.approx(256) and lips[0] == pytest.approx(256)
    assert lips[1] - eyes[1] == pytest.approx(60 * 512 / 276)


def test_eyes_on_the_lips_count_as_upright():
    points = landmarks(203)
    rect = face_rect(points, np.array([500.0, 400.0]), np.array([500.0, 400.0]), 2.3, 0.0)
    assert rect.angle_rad == 0 and rect.centre.tolist() == pytest.approx([500, 400])


def test_a_crop_goes_back_to_where_it_came_from(picture):
    rect = source_rect(landmarks(203, np.radians(15), at=(190.0, 170.0)) * 0.7 + 60)
    crop = cv2.warpAffine(picture, crop_matrix(rect), (512, 512))
    back = PasteBack(picture, crop_matrix(rect))(crop)
    assert crop.shape == (512, 512, 3) and back.shape == picture.shape
    assert np.abs(back.astype(int) - picture).mean() < 1.0  # nothing but resampling
    marked = PasteBack(picture, crop_matrix(rect))(np.full_like(crop, 255))
    x, y = rect.centre.round().astype(int)
    assert (marked[y, x] == 255).all() and np.array_equal(marked[0, 0], picture[0, 0])
