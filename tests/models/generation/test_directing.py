"""Dials on generated motion, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.face.points import LIPS_INNER_LOWER, LIPS_INNER_UPPER, LIPS_OUTER_LOWER, MOUTH, NUM_KEYPOINTS, positions
from models.generation.directing import directed, scaled_pose
from models.generation.request import Curves
from models.landmark.retarget import scaled_mouth

OWN = np.array([1.5, 0.1, -0.2, 0.0, 5.0, -10.0, 2.0], np.float32)
UPPER, LOWER = positions(LIPS_INNER_UPPER[1:-1]), positions(LIPS_INNER_LOWER)


class Space:
    """All of it is mouth."""

    def scale_mouth(self, delta, rest, scale):
        return scale[:, None, None] * delta + (1 - scale[:, None, None]) * rest


def motion(frames: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 3, (frames, 6 + 7)).astype(np.float32)


def test_pose_scale_by_hand():
    """Yaw -4, 6 degrees from the portrait's -10, at 0, a half, 1 and 2: -10, -7, -4, 2; the size likewise."""
    rho = np.repeat(np.array([[1.7, 0.1, -0.2, 0.0, 5.0, -4.0, 2.0]], np.float32), 4, axis=0)
    found = scaled_pose(rho, OWN, np.array([0.0, 0.5, 1.0, 2.0]))
    np.testing.assert_allclose(found[:, 5], [-10, -7, -4, 2])
    np.testing.assert_allclose(found[:, 0], [1.5, 1.6, 1.7, 1.9], rtol=1e-6)
    np.testing.assert_allclose(found[:, [1, 2, 3, 4, 6]], np.tile(OWN[[1, 2, 3, 4, 6]], (4, 1)), rtol=1e-6)


def test_one_is_bit_for_bit_and_no_pose_scale_is_the_portraits_own_pose():
    whole, rest = motion(90), np.ones((2, 3))
    same = Curves(pose_scale=np.ones(1), mouth_scale=np.ones(1))
    [found] = directed(Space(), iter([whole]), same, OWN, rest)
    assert found.dtype == np.float32 and np.array_equal(found, whole)
    [found] = directed(Space(), iter([whole]), Curves(pose_scale=np.zeros(1)), OWN, rest)
    assert np.array_equal(found[:, 6:], np.tile(OWN, (90, 1))) and np.array_equal(found[:, :6], whole[:, :6])


def test_windows_of_any_length_follow_the_same_curve_and_its_last_value_stays():
    whole, rest = motion(90), np.ones((2, 3))
    curves = Curves(pose_scale=np.linspace(0, 2, 60), mouth_scale=np.linspace(2, 0, 70))
    [found] = directed(Space(), iter([whole]), curves, OWN, rest)
    cut = np.concatenate(list(directed(Space(), iter([whole[:50], whole[50:51], whole[51:]]), curves, OWN, rest)))
    assert np.array_equal(found, cut)
    np.testing.assert_allclose(found[-1, 6:], OWN + 2 * (whole[-1, 6:] - OWN), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found[-1, :6], 1)


def test_an_opening_is_scaled_and_what_is_not_the_mouths_stays():
    delta = np.random.default_rng(1).normal(0, 0.01, (3, NUM_KEYPOINTS, 3)).astype(np.float32)
    delta[:, LOWER, 1], delta[:, UPPER, 1] = 0.04, -0.01
    found = scaled_mouth(delta, np.array([0.0, 1.0, 1.6]))
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
    found = scaled_mouth(delta, np.array([scale]))[0]
    gap = found[LOWER, 1] - found[UPPER, 1]
    np.testing.assert_allclose(gap, [0, -0.004 * min(scale, 1), 0, 0, 0], atol=1e-12)
    middle = (found[LOWER, 1] + found[UPPER, 1]) / 2
    np.testing.assert_allclose(middle, scale * np.array([0.02, 0.018, 0.02, 0.02, 0.02]))
    lift = (scale - min(scale, 1)) * 0.002
    np.testing.assert_allclose(found[positions(LIPS_OUTER_LOWER), 1], 0.03 * scale + lift * np.array([0, 1, 0, 0, 0]))
