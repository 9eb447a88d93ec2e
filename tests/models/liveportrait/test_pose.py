"""Head pose in torch: bins, rotation, eq. 1 by hand and against the NumPy side."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.liveportrait.networks import degrees_from_bins, rotation_from_degrees, transform_keypoints
from models.motion.camera import rotation_from_angles
from models.motion.camera import transform_keypoints as numpy_keypoints


@pytest.mark.parametrize(("index", "degrees"), [(0, -97.5), (32, -1.5), (33, 1.5), (65, 97.5)])
def test_a_certain_bin_is_its_angle(index, degrees):
    logits = torch.full((66,), -1e4, dtype=torch.float64)
    logits[index] = 0.0
    assert degrees_from_bins(logits).item() == pytest.approx(degrees, abs=1e-9)


def test_no_preference_is_straight_ahead_and_two_bins_share():
    assert degrees_from_bins(torch.zeros(2, 66, dtype=torch.float64)).tolist() == pytest.approx([0.0, 0.0], abs=1e-9)
    logits = torch.full((66,), -1e4, dtype=torch.float64)
    logits[40], logits[42] = np.log(3.0), 0.0  # 3/4 of 22.5 degrees and 1/4 of 28.5
    assert degrees_from_bins(logits).item() == pytest.approx(24.0, abs=1e-9)


def test_yaw_of_ninety_degrees_by_hand():
    """Row vectors: x turns into -z under R = Ry(90)^T, z into x."""
    rotation = rotation_from_degrees(torch.tensor([0.0, 90.0, 0.0], dtype=torch.float64))
    turned = torch.eye(3, dtype=torch.float64) @ rotation
    assert torch.allclose(turned, torch.tensor([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]], dtype=torch.float64), atol=1e-12)


def test_rotation_equals_the_numpy_one_and_is_a_rotation():
    angles = np.random.default_rng(1).uniform(-80, 80, (50, 3))
    rotation = rotation_from_degrees(torch.from_numpy(angles)).numpy()
    assert np.allclose(rotation, rotation_from_angles(angles), atol=1e-12)
    assert np.allclose(rotation @ rotation.transpose(0, 2, 1), np.eye(3), atol=1e-12)


def test_equation_one_by_hand():
    """A point at (1, 0, 0), yaw 90: R takes it to (0, 0, -1); + delta (0.1, 0.2, 0.3), times 2, + t without t_z."""
    rotation = rotation_from_degrees(torch.tensor([[0.0, 90.0, 0.0]], dtype=torch.float64))
    x = transform_keypoints(torch.tensor([[[1.0, 0, 0]]], dtype=torch.float64), rotation,
                            torch.tensor([[[0.1, 0.2, 0.3]]], dtype=torch.float64),
                            torch.tensor([[0.5, -0.5, 9.0]], dtype=torch.float64),
                            torch.tensor([[2.0]], dtype=torch.float64))
    assert torch.allclose(x, torch.tensor([[[0.7, -0.1, -1.4]]], dtype=torch.float64), atol=1e-12)


def test_equation_one_equals_the_numpy_one_and_is_differentiable():
    generator = np.random.default_rng(2)
    x_c, delta = generator.normal(size=(2, 4, 21, 3))
    angles, t, s = generator.normal(size=(4, 3)), generator.normal(size=(4, 3)) * [1, 1, 0], generator.random((4, 1))
    wanted = numpy_keypoints(x_c, delta, rotation_from_angles(angles), t, s)
    found = transform_keypoints(torch.from_numpy(x_c), rotation_from_degrees(torch.from_numpy(angles)),
                                torch.from_numpy(delta), torch.from_numpy(t), torch.from_numpy(s))
    assert np.allclose(found.numpy(), wanted, atol=1e-12)
    inputs = [torch.from_numpy(value[:1]).requires_grad_() for value in (x_c, angles, delta, t, s)]
    assert torch.autograd.gradcheck(lambda c, a, d, move, scale: transform_keypoints(
        c, rotation_from_degrees(a), d, move, scale), inputs)
