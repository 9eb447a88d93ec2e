"""Head pose, eq. 1 and the motion vector."""

from __future__ import annotations

import numpy as np
import pytest

from models.motion.camera import angles_from_rotation, rotation_from_angles, transform_keypoints
from tests.golden.filled import stored

RANDOM = np.random.default_rng(0)
ANGLES = RANDOM.uniform(-80, 80, (64, 3))


def test_the_published_rotation_is_reproduced():
    published = stored("liveportrait")
    found = rotation_from_angles(published["camera.angles_degrees"].astype(np.float64))
    assert np.abs(found - published["camera.rotation"]).max() < 1e-6


def test_a_rotation_is_one_and_gives_its_angles_back():
    rotation = rotation_from_angles(ANGLES)
    identity = np.broadcast_to(np.eye(3), rotation.shape)
    np.testing.assert_allclose(rotation @ rotation.swapaxes(-1, -2), identity, atol=1e-12)
    np.testing.assert_allclose(angles_from_rotation(rotation), ANGLES, atol=1e-9)


def test_a_quarter_roll_by_hand():
    # row vector (1, 0, 0) times R = (Rz)^T is the first column of Rz: (cos 90, sin 90, 0)
    turned = np.array([1.0, 0, 0]) @ rotation_from_angles(np.array([0, 0, 90.0]))
    np.testing.assert_allclose(turned, [0, 1, 0], atol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_eq_1_by_hand(scale):
    x_c, delta = np.array([[1.0, 0, 0]]), np.array([[0, 0.5, 0]])
    x = transform_keypoints(x_c, delta, np.eye(3), np.array([0.25, 0, 0]), np.array([scale]))
    np.testing.assert_allclose(x, [[scale + 0.25, 0.5 * scale, 0]])
