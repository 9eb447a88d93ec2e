from __future__ import annotations

import numpy as np
import pytest

from evaluation.metrics.faces import align, face_box, five_points, to_pixels
from models.face.face import TEMPLATE_PX, similarity_2d


def test_similarity_is_recovered_exactly():
    angle, scale, shift = 0.3, 1.7, np.array([5.0, -2.0])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    source = np.random.default_rng(0).normal(size=(5, 2))
    matrix = similarity_2d(source, source @ turn.T + shift)
    assert np.allclose(matrix, np.hstack([turn, shift[:, None]]))


def test_a_mirror_is_no_similarity():
    source = np.random.default_rng(1).normal(size=(5, 2))
    matrix = similarity_2d(source, source * [-1, 1])
    assert np.linalg.det(matrix[:, :2]) > 0


def landmarks_at(five_px: np.ndarray, side: int) -> np.ndarray:
    """478 landmarks whose five points are `five_px` in a square picture."""
    points = np.zeros((478, 3))
    for indices, xy in zip(((33, 133), (362, 263), (4,), (61,), (291,)), five_px, strict=True):
        points[list(indices), :2] = 2 * xy / side - 1
    return points


def test_alignment_puts_the_eyes_on_the_template():
    side = 300
    frame = np.zeros((side, side, 3), np.uint8)
    five = TEMPLATE_PX * 1.5 + [60, 40]
    assert np.allclose(five_points(to_pixels(landmarks_at(five, side), side, side)), five)
    for x, y in five:
        frame[round(y) - 2:round(y) + 3, round(x) - 2:round(x) + 3] = 255
    face = align(frame, landmarks_at(five, side))
    assert face.shape == (112, 112, 3)
    for x, y in TEMPLATE_PX:
        assert face[round(y), round(x)].min() > 200


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_box_is_centred_square_and_padded_with_black(scale):
    frame = np.full((100, 100, 3), 9, np.uint8)
    points = np.zeros((478, 3))
    points[0, :2], points[1, :2] = [0.4, 0.4], [1.4, 0.8]  # pixels 70..120 and 70..90; the rest at 50
    box = face_box(frame, points, scale)
    assert box.shape == (round(70 * scale), round(70 * scale), 3)
    if scale == 1.0:  # spans x 50..120: twenty columns lie outside of the picture
        assert (box[:, 50:] == 0).all() and (box[:35, :50] == 9).all()
