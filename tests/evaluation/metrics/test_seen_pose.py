"""Head pose and lips by landmarks of a made-up head whose turns and lips are known, in pictures of any shape."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.metrics.curves import LIPS, face_curves
from evaluation.metrics.faces import undo_aspect
from evaluation.metrics.seen_pose import head_angles_deg, seen_lip_error
from models.motion.camera import rotation_from_angles

FACE = np.random.default_rng(0).normal(0, 0.2, (478, 3))
EYE = np.linalg.norm(FACE[33] - FACE[263])


def posed(angles_deg: np.ndarray, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """The head, turned: [T, 478, 3] in half widths."""
    return scale * (FACE @ rotation_from_angles(angles_deg)) + [shift, -shift, 0]


def test_turns_are_found_against_the_first_face_and_gaps_are_filled():
    angles = np.stack([np.linspace(0, 8, 5), np.linspace(0, -20, 5), np.linspace(0, 4, 5)], axis=1)
    points = posed(angles, scale=0.7, shift=0.3)
    assert np.allclose(head_angles_deg(points), angles, atol=1e-6)
    points[[0, 3]] = np.nan
    found = head_angles_deg(points)
    turned = rotation_from_angles(angles[1]).T @ rotation_from_angles(angles[4])  # from the first face that is there
    assert np.allclose(rotation_from_angles(found[4]), turned, atol=1e-6)
    assert np.allclose(found[0], 0) and np.allclose(found[3], (found[2] + found[4]) / 2)
    with pytest.raises(ValueError, match="no frame has a face"):
        head_angles_deg(points * np.nan)


def test_lips_count_and_pose_does_not():
    true = posed(np.zeros((3, 3)))
    turned = posed(np.tile([3.0, -10.0, 5.0], (3, 1)), scale=1.4, shift=0.2)
    assert seen_lip_error(true, turned) == pytest.approx(0, abs=1e-9)
    moved = true.copy()
    moved[0, LIPS[4]] += [0.3, 0.4, 0]  # 0.5 in one of three frames
    assert seen_lip_error(true, moved) == pytest.approx(0.5 / EYE / 3)
    moved[1:] = np.nan
    assert seen_lip_error(true, moved) == pytest.approx(0.5 / EYE)
    with pytest.raises(ValueError, match="both"):
        seen_lip_error(true[1:], moved[1:])


def test_a_wide_picture_does_not_change_turns_or_curves():
    """In 1280 x 720 a length of one in y is 720 / 1280 of one in x."""
    points = posed(np.array([[0.0, 0, 0], [0, 0, 25]]))
    seen = points * [1, 1280 / 720, 1]
    assert np.allclose(head_angles_deg(undo_aspect(seen, 1280, 720))[1], [0, 0, 25], atol=1e-5)
    assert abs(head_angles_deg(seen)[1, 2] - 25) > 1  # uncorrected
    assert np.allclose(face_curves(undo_aspect(seen, 1280, 720)).mouth, face_curves(points).mouth)
