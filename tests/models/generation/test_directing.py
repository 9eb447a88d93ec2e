"""Dials on generated motion, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.face.points import (
    EYE_CORNERS,
    IRISES,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    LIPS_OUTER_LOWER,
    MOUTH,
    NUM_KEYPOINTS,
    positions,
)
from models.generation.directing import direct, scale_pose
from models.generation.request import Curves, Request
from models.landmark.directing import EYEBALL, hold_gaze, hold_lids, scale_mouth
from models.landmark.retarget import LOWER as LID_LOWER
from models.landmark.retarget import UPPER as LID_UPPER
from models.motion.camera import rotation_from_angles

OWN = np.array([1.5, 0.1, -0.2, 0.0, 5.0, -10.0, 2.0], np.float32)
UPPER, LOWER = positions(LIPS_INNER_UPPER[1:-1]), positions(LIPS_INNER_LOWER)


class Space:
    """All of it is mouth."""

    knows_eyes = True

    def hold_lids(self, x_c, delta, rest):
        return delta

    def scale_mouth(self, delta, rest, scale):
        return scale[:, None, None] * delta + (1 - scale[:, None, None]) * rest


def moved(windows, curves: Curves, rest: np.ndarray) -> list[np.ndarray]:
    asked = Request(np.zeros((1, 1)), np.zeros((2, 3)), OWN, curves=curves)
    return list(direct(Space(), iter(windows), asked, rest))


def motion(frames: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 3, (frames, 6 + 7)).astype(np.float32)


def test_pose_scale_by_hand():
    """Yaw -4, 6 degrees from the portrait's -10, at 0, a half, 1 and 2: -10, -7, -4, 2; the size likewise."""
    rho = np.repeat(np.array([[1.7, 0.1, -0.2, 0.0, 5.0, -4.0, 2.0]], np.float32), 4, axis=0)
    found = scale_pose(rho, OWN, np.array([0.0, 0.5, 1.0, 2.0]))
    np.testing.assert_allclose(found[:, 5], [-10, -7, -4, 2])
    np.testing.assert_allclose(found[:, 0], [1.5, 1.6, 1.7, 1.9], rtol=1e-6)
    np.testing.assert_allclose(found[:, [1, 2, 3, 4, 6]], np.tile(OWN[[1, 2, 3, 4, 6]], (4, 1)), rtol=1e-6)


def test_one_is_bit_for_bit_and_no_pose_scale_is_the_portraits_own_pose():
    whole, rest = motion(90), np.ones((2, 3))
    same = Curves(pose_scale=np.ones(1), mouth_scale=np.ones(1))
    [found] = moved([whole], same, rest)
    assert found.dtype == np.float32 and np.array_equal(found, whole)
    [found] = moved([whole], Curves(pose_scale=np.zeros(1)), rest)
    assert np.array_equal(found[:, 6:], np.tile(OWN, (90, 1))) and np.array_equal(found[:, :6], whole[:, :6])


def test_windows_of_any_length_follow_the_same_curve_and_its_last_value_stays():
    whole, rest = motion(90), np.ones((2, 3))
    curves = Curves(pose_scale=np.linspace(0, 2, 60), mouth_scale=np.linspace(2, 0, 70))
    [found] = moved([whole], curves, rest)
    cut = np.concatenate(moved([whole[:50], whole[50:51], whole[51:]], curves, rest))
    assert np.array_equal(found, cut)
    np.testing.assert_allclose(found[-1, 6:], OWN + 2 * (whole[-1, 6:] - OWN), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found[-1, :6], 1)


def test_an_opening_is_scaled_and_what_is_not_the_mouths_stays():
    delta = np.random.default_rng(1).normal(0, 0.01, (3, NUM_KEYPOINTS, 3)).astype(np.float32)
    delta[:, LOWER, 1], delta[:, UPPER, 1] = 0.04, -0.01
    found = scale_mouth(delta, np.array([0.0, 1.0, 1.6]))
    np.testing.assert_allclose((found[:, LOWER] - found[:, UPPER])[..., 1], np.outer([0, 0.05, 0.08], np.ones(5)),
                               rtol=1e-6)
    mouth = positions(MOUTH)
    np.testing.assert_allclose(found[:, mouth], delta[:, mouth] * np.array([0, 1, 1.6])[:, None, None], rtol=1e-6)
    others = np.setdiff1d(np.arange(NUM_KEYPOINTS), mouth)
    assert np.array_equal(found[:, others], delta[:, others]) and np.array_equal(found[1], delta[1])


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.0])
def test_shut_lips_stay_shut_and_pressed_ones_are_pressed_no_deeper(scale):
    """Column 0 meets, column 1 overlaps by 0.004, both 0.02 low: doubled, the overlap stays 0.004."""
    delta = np.zeros((1, NUM_KEYPOINTS, 3))
    delta[0, UPPER, 1], delta[0, LOWER, 1] = 0.02, [0.02, 0.016, 0.02, 0.02, 0.02]
    delta[0, positions(LIPS_OUTER_LOWER), 1] = 0.03
    found = scale_mouth(delta, np.array([scale]))[0]
    gap = found[LOWER, 1] - found[UPPER, 1]
    np.testing.assert_allclose(gap, [0, -0.004 * min(scale, 1), 0, 0, 0], atol=1e-12)
    middle = (found[LOWER, 1] + found[UPPER, 1]) / 2
    np.testing.assert_allclose(middle, scale * np.array([0.02, 0.018, 0.02, 0.02, 0.02]))
    lift = (scale - min(scale, 1)) * 0.002
    np.testing.assert_allclose(found[positions(LIPS_OUTER_LOWER), 1], 0.03 * scale + lift * np.array([0, 1, 0, 0, 0]))


def eyes() -> np.ndarray:
    """x_c with eyes 0.3 wide."""
    x_c = np.zeros((NUM_KEYPOINTS, 3))
    x_c[positions(EYE_CORNERS), 0] = [-0.5, -0.2, 0.2, 0.5]
    return x_c


def test_eyes_stay_on_the_camera_as_the_head_turns():
    """Yaw 30 degrees, radius 0.1: in the picture an iris stays over the middle of its eye, where a rigid one would go
    0.1 sin 30 = 0.05 to the side."""
    delta = np.random.default_rng(2).normal(0, 0.01, (3, NUM_KEYPOINTS, 3))
    angles = np.array([[0.0, 30, 0], [0, 0, 0], [10, -20, 5]])
    own = np.zeros((NUM_KEYPOINTS, 3))
    own[positions(IRISES)] = 0.1 * np.array([0, 0, -1.0])  # on the ball, towards the camera
    found = hold_gaze(eyes(), delta, angles, own, np.zeros(3), np.ones(3))
    in_picture = found[:, positions(IRISES)] @ rotation_from_angles(angles)
    np.testing.assert_allclose(in_picture, np.tile([0, 0, -0.1], (3, 2, 1)), atol=1e-12)
    rigid = own[positions(IRISES)] @ rotation_from_angles(angles[0])
    np.testing.assert_allclose(np.abs(rigid[:, 0]), 0.05, atol=1e-12)
    others = np.delete(np.arange(NUM_KEYPOINTS), positions(IRISES))
    assert pytest.approx(0.1) == EYEBALL * 0.3
    assert np.array_equal(found[:, others], delta[:, others])


def test_free_eyes_move_as_generated_and_half_way_is_half_way():
    delta = np.random.default_rng(3).normal(0, 0.01, (2, NUM_KEYPOINTS, 3))
    angles, own = np.array([[5.0, 20, 0], [5, 20, 0]]), np.zeros((NUM_KEYPOINTS, 3))
    free, half = hold_gaze(eyes(), delta, angles, own, np.zeros(3), np.array([0, 0.5]))
    [held] = hold_gaze(eyes(), delta[1:], angles[1:], own, np.zeros(3), np.ones(1))
    assert np.array_equal(free, delta[0])
    np.testing.assert_allclose(half, (delta[1] + held) / 2)


def test_lids_fall_freely_at_first_then_less_and_never_shut():
    """Lids 1 apart at rest; 0.8, 0.5, 0 and -0.1 apart they are held at 0.8, 0.5 + 0.3 / e, 0.5 + 0.3 exp(-8/3) and
    0.5 + 0.3 exp(-3), three quarters of the lift by the upper one."""
    x_c, rest = np.zeros((NUM_KEYPOINTS, 3)), np.zeros((NUM_KEYPOINTS, 3))
    x_c[LID_LOWER, 1], rest[LID_UPPER, 1] = 0.9, -0.1
    delta = np.zeros((4, NUM_KEYPOINTS, 3))
    delta[:, LID_UPPER, 1] = np.array([0.1, 0.4, 0.9, 1.0])[:, None]
    found = hold_lids(x_c, delta, rest)
    np.testing.assert_allclose((x_c + found)[:, LID_LOWER, 1] - found[:, LID_UPPER, 1],
                               np.outer([0.8, 0.6103638, 0.5208450, 0.5149361], np.ones(6)), atol=1e-7)
    np.testing.assert_allclose(found[2, LID_UPPER, 1], 0.9 - 0.75 * 0.5208450, atol=1e-7)
    assert np.array_equal(found[0], delta[0])
