"""Equations 2 to 4: by hand, and in a world where the right answer of every swap is known."""

from __future__ import annotations

import copy

import pytest
import torch

from models.judges.vgg import VggFeatures
from models.liveportrait.networks import HeadMotion, seeded_networks
from models.liveportrait.widths import TOY
from tests.training.toy_faces import HEAD, PX, drawn, frames, leaky_networks
from training.decoupling.objective import DecouplingObjective, Weights, choose_trained, driven, head_motion, leakage

pytestmark = pytest.mark.processes

ALL = Weights(transfer=30, reconstruction=1, perceptual=1, prior=1)


def motion(x_c: float, delta: float, roll_deg: float, t: float, s: float) -> HeadMotion:
    """One key point at (x_c, 0, 0)."""
    return HeadMotion(torch.tensor([[[x_c, 0.0, 0.0]]]), torch.tensor([[[0.0, delta, 0.0]]]),
                      torch.tensor([[0.0, 0.0, roll_deg]]), torch.tensor([[t, 0.0, 9.0]]), torch.tensor([[s]]))


def test_equations_2_and_3_by_hand():
    """A roll of 90 degrees takes (x, 0, 0) to (0, x, 0) for row vectors with R = (Rz Ry Rx)^T."""
    i, j = motion(1.0, 0.25, 0.0, 0.5, 1.0), motion(2.0, -0.5, 90.0, -1.0, 3.0)
    torch.testing.assert_close(i.keypoints()[0, 0], torch.tensor([1.5, 0.25, 0.0]))
    torch.testing.assert_close(driven(i, j, i)[0, 0], torch.tensor([-1.0, 3 * (1 + 0.25), 0.0]))  # eq. 2
    torch.testing.assert_close(driven(j, j, i)[0, 0], torch.tensor([-1.0, 3 * (2 + 0.25), 0.0]))  # eq. 3
    torch.testing.assert_close(driven(j, j, j), j.keypoints())


@pytest.fixture(scope="module")
def before():
    return leaky_networks()


@pytest.fixture(scope="module")
def features():
    torch.manual_seed(1)
    return VggFeatures("vgg19", width=4)


def tuned(before, features, weights: Weights, steps: int):
    """The extractor after some steps, and the terms of the first and the last."""
    networks = copy.deepcopy(before)
    parameters = choose_trained(networks, ["motion"])
    objective = DecouplingObjective(networks, features, weights, "mean_square", PX)
    optimiser, rows = torch.optim.Adam(parameters, lr=1e-3), []
    for step in range(steps):
        terms = objective(drawn(16, 9000 + step).pictures, drawn(16, 7000 + step).pictures)
        rows.append({name: value.mean().item() for name, value in terms.items()})
        optimiser.zero_grad()
        terms["loss"].mean().backward()
        optimiser.step()
    return networks, rows[0], rows[-1]


@torch.inference_mode()
def swap_errors(networks) -> tuple[float, float]:
    """How far the mouth is from where it should be after eq. 2, and after eq. 3 (root mean square, half pictures)."""
    i, j = drawn(100, 1), drawn(100, 2)
    wanted = frames(j.roll_deg, i.opening).points
    a, b = (head_motion(networks.motion, seen.pictures) for seen in (i, j))
    return tuple((x - wanted)[:, 3:, :2].square().mean().sqrt().item() for x in (driven(a, b, a), driven(b, b, a)))


def test_swapping_the_pose_leaves_the_expression_nearer_than_before(before, features):
    networks, first, last = tuned(before, features, ALL, 60)
    assert last["loss"] < 0.3 * first["loss"] and last["transfer"] < 0.1 * first["transfer"]
    (pose_before, expression_before), (pose_after, expression_after) = swap_errors(before), swap_errors(networks)
    assert pose_after < 0.75 * pose_before and expression_after < 0.5 * expression_before
    i, j = drawn(50, 3).pictures, drawn(50, 4).pictures
    seen_before, seen_after = leakage(before, i, j), leakage(networks, i, j)
    assert seen_after["expression_kept"] < 0.8 * seen_before["expression_kept"]


def test_eq_4_alone_lets_the_space_collapse_and_the_other_terms_hold_it(before, features):
    alone, _, _ = tuned(before, features, Weights(30, 0, 0, 0), 60)
    held, _, _ = tuned(before, features, ALL, 60)
    i, j = drawn(50, 3).pictures, drawn(50, 4).pictures
    assert swap_errors(alone)[0] > 2 * swap_errors(before)[0] > 2 * swap_errors(held)[0]
    assert leakage(alone, i, j)["pose_followed"] > 3 * leakage(held, i, j)["pose_followed"]


def test_terms_that_weigh_nothing_do_nothing(before, features):
    i, j = drawn(4, 1).pictures, drawn(4, 2).pictures
    objective = DecouplingObjective(copy.deepcopy(before), features, Weights(0, 2, 0, 0), "l1", PX)
    terms = objective(i, j)
    torch.testing.assert_close(terms["loss"], 2 * terms["reconstruction"])
    assert (terms["prior"] == 0).all() and terms["transfer"].shape == (4,)
    same = objective(i, i)
    assert same["transfer"].max() == 0  # both pictures are frame i


def test_the_prior_counts_points_and_pose(before, features):
    networks = copy.deepcopy(before)
    objective = DecouplingObjective(networks, features, ALL, "mean_square", PX)
    with torch.no_grad():
        networks.motion.heads["t"].bias += torch.tensor([0.3, 0.0, 5.0])  # t_z is not used
    prior = objective(drawn(4, 1).pictures, drawn(4, 2).pictures)["prior"]
    torch.testing.assert_close(prior, torch.full((4,), 2 * 0.3**2 / 3))


def test_only_what_is_named_is_trained():
    networks = seeded_networks(TOY, 0)
    parameters = choose_trained(networks.train(), ["motion", "warping"])
    named = {name.split(".")[0] for name, p in networks.named_parameters() if p.requires_grad}
    assert named == {"motion", "warping"} and not any(module.training for module in networks.modules())
    assert sum(p.numel() for p in parameters) == sum(
        p.numel() for part in (networks.motion, networks.warping) for p in part.parameters())


def test_every_term_reaches_every_part_of_liveportrait(features):
    networks = seeded_networks(TOY, 0)
    choose_trained(networks, ["motion", "appearance", "warping", "generator"])
    objective = DecouplingObjective(networks, features, ALL, "mean_square", 32)
    torch.manual_seed(0)
    objective(torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64))["loss"].sum().backward()
    for part in ("motion", "appearance", "warping", "generator"):
        gradients = [p.grad for p in networks.get_submodule(part).parameters()]
        assert all(grad is not None and grad.isfinite().all() for grad in gradients), part
        assert sum(grad.abs().sum() for grad in gradients) > 0, part
    assert objective.untuned.detector.fc_kp.weight.grad is None


def test_gradient_of_eq_4_against_differences():
    """In float64, through eq. 1, the renderer and the features."""
    torch.manual_seed(0)
    networks = leaky_networks(steps=1).double()
    objective = DecouplingObjective(networks, VggFeatures("vgg16", width=2).double(), ALL, "mean_square", PX).double()
    first, second = drawn(2, 5).pictures.double(), drawn(2, 6).pictures.double()
    weight = networks.motion.heads["exp"].weight
    networks.zero_grad()
    objective(first, second)["transfer"].sum().backward()
    index, step = weight.grad.abs().argmax(), 1e-5
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            weight.view(-1)[index] += sign * step
            values.append(objective(first, second)["transfer"].sum().item())
            weight.view(-1)[index] -= sign * step
    assert (values[0] - values[1]) / (2 * step) == pytest.approx(weight.grad.view(-1)[index].item(), rel=1e-4)


def test_the_head_of_the_toy_world_is_not_symmetric_under_roll():
    assert not torch.allclose(HEAD, frames(torch.tensor([30.0]), torch.tensor([0.0])).points[0])
