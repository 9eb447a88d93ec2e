from __future__ import annotations

import numpy as np
import pytest

from models.motion.camera import rotation_from_angles
from pipeline.animate.pose import forth_and_back, relative_pose

rng = np.random.default_rng(0)


def test_no_movement_is_the_portraits_own_pose():
    source = np.array([1.3, 0.1, -0.2, 0.0, 5, -10, 3])
    driver = np.tile([1.1, 0.3, 0.1, 0, -8, 12, 4], (5, 1))
    np.testing.assert_allclose(relative_pose(driver, source), np.tile(source, (5, 1)), atol=1e-5)


def test_hand_computed():
    """A driver who grows by 10 %, moves by (0.1, -0.2, 0.5) and turns from yaw 5 to 20; the portrait looks ahead."""
    driver = np.array([[1.0, 0, 0, 0, 0, 5, 0], [1.1, 0.1, -0.2, 0.5, 0, 20, 0]])
    pose = relative_pose(driver, np.array([2.0, 0.3, 0.3, 0.7, 0, 0, 0]))
    np.testing.assert_allclose(pose[1], [2.2, 0.4, 0.1, 0.7, 0, 15, 0], atol=1e-5)


def test_rotation_is_that_of_liveportrait():
    driver = rng.uniform(-20, 20, (6, 7))
    driver[:, 0] = 1
    source = np.array([1, 0, 0, 0, 5.0, -12, 7])
    pose = relative_pose(driver, source)
    for frame in range(6):
        expected = (rotation_from_angles(driver[frame, 4:]) @ rotation_from_angles(driver[0, 4:]).T
                    @ rotation_from_angles(source[4:]))
        np.testing.assert_allclose(rotation_from_angles(pose[frame, 4:].astype(float)), expected, atol=1e-6)


@pytest.mark.parametrize(("length", "frames", "expected"), [
    (3, 7, [0, 1, 2, 1, 0, 1, 2]), (1, 3, [0, 0, 0]), (5, 3, [0, 1, 2]), (2, 4, [0, 1, 0, 1])])
def test_a_short_video_runs_forth_and_back(length, frames, expected):
    assert forth_and_back(length, frames).tolist() == expected
