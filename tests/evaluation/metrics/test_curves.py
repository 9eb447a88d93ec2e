from __future__ import annotations

import numpy as np
import pytest

from evaluation.metrics.curves import face_curves, lip_points
from models.face.points import KEYPOINTS
from models.motion.camera import rotation_from_angles


def face(frames: int = 1) -> np.ndarray:
    """A flat face: eye corners 2 apart, so that every length is halved by the unit; y is down."""
    points = np.zeros((frames, 478, 3))
    points[:, 33, :2], points[:, 263, :2] = [-1, 0], [1, 0]
    points[:, 10, :2], points[:, 2, :2] = [0, -2], [0, 1]
    for upper, lower in ((82, 87), (13, 14), (312, 317)):
        points[:, upper, 1], points[:, lower, 1] = 1.5, 1.9
    points[:, [70, 105, 66, 107, 300, 334, 296, 336], 1] = -0.6
    points[:, [61, 291], 1] = 1.7
    points[:, [160, 159, 158, 387, 386, 385], 1] = -0.1
    points[:, [144, 145, 153, 373, 374, 380], 1] = 0.2
    return points


def test_by_hand():
    curves = face_curves(face())
    values = [curve[0] for curve in (curves.mouth, curves.eyes, curves.brows, curves.corners)]
    assert values == pytest.approx([0.2, 0.15, 0.3, -0.35])


def test_neither_size_nor_pose_nor_place_changes_them():
    points = face(3)
    turned = 3.7 * (points @ rotation_from_angles(np.array([20.0, -35.0, 10.0]))) + [4, -1, 2]
    for a, b in zip(vars(face_curves(points)).values(), vars(face_curves(turned)).values(), strict=True):
        assert np.allclose(a, b)


def test_key_points_give_what_all_points_give():
    points = face(2) + np.random.default_rng(0).normal(0, 0.01, (2, 478, 3))
    keypoints = points[:, list(KEYPOINTS)]
    for a, b in zip(vars(face_curves(points)).values(), vars(face_curves(keypoints)).values(), strict=True):
        assert np.allclose(a, b)
    assert lip_points(keypoints).shape == (2, 24, 3)


def test_frames_without_a_face_stay_nan_and_are_counted():
    points = face(4)
    points[1] = np.nan
    curves = face_curves(points)
    assert np.isnan(curves.mouth[1]) and curves.found_share == 0.75


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="478"):
        face_curves(np.zeros((2, 21, 3)))
