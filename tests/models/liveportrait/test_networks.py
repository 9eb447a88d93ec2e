"""The networks at toy width: what follows from the equations whatever the weights are."""

from __future__ import annotations

import pytest
import torch

from models.liveportrait.networks import seeded_networks
from models.liveportrait.runtime import Runtime, ready
from models.liveportrait.stitching import Retargeting
from models.liveportrait.warping import heat, identity_grid, sample, sample_at, sparse_flows
from models.liveportrait.widths import TOY
from tests.golden.filled import fill


def points(seed: int, batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, 21, 3, generator=torch.Generator().manual_seed(seed)) - 0.5


def test_the_grid_runs_from_minus_one_to_one_over_cell_centres():
    grid = identity_grid((2, 3, 5), torch.zeros(1))
    assert grid.shape == (2, 3, 5, 3)
    assert grid[0, 0, 0].tolist() == [-1, -1, -1] and grid[1, 2, 4].tolist() == [1, 1, 1]
    assert grid[1, 1, 3].tolist() == [0.5, 0, 1]  # x, y, z


def test_a_flow_takes_the_driving_point_to_the_source_point():
    driving, source = points(1, 1), points(2, 1)
    flows = sparse_flows(driving[:, None], driving, source)  # a grid of 21 cells at the key points
    for index in range(21):
        assert torch.allclose(flows[0, 1 + index, 0, 0, index], source[0, index], atol=1e-6)
    assert torch.equal(flows[0, 0, 0, 0], driving[0])  # the background stays


def test_heat_is_one_at_the_driving_point_and_minus_one_at_the_source_point():
    driving, source = torch.full((1, 21, 3), 0.9), torch.full((1, 21, 3), -0.9)
    at = heat(torch.tensor([[[[0.9, 0.9, 0.9], [-0.9, -0.9, -0.9], [0.8, 0.9, 0.9]]]]), driving, source)[0, :, 0, 0]
    assert at[1].tolist() == pytest.approx([1.0, -1.0, 0.6065307], abs=1e-6)  # exp(-0.1^2 / (2 * 0.01))
    assert at[0].tolist() == [0, 0, 0]


def test_sampling_keeps_the_mismatch_of_the_published_weights():
    """The grid's -1 is the outer edge for the sampler: half of the first cell is outside, a constant halves there."""
    volume = torch.ones(1, 1, 4, 4, 4)
    found = sample(volume, identity_grid((4, 4, 4), volume)[None])
    assert found[0, 0, 1, 1, 1].item() == 1.0
    assert found[0, 0, 0, 1, 1].item() == pytest.approx(0.5) and found[0, 0, 0, 0, 0].item() == pytest.approx(0.125)
    assert torch.equal(sample_at(volume, identity_grid((4, 4, 4), volume)[None, None])[:, 0], found)


def test_seeds_give_networks():
    first, again, other = (seeded_networks(TOY, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert any(not torch.equal(value, other[name]) for name, value in first.items())


@torch.inference_mode()
def test_pictures_of_a_batch_are_those_of_single_ones():
    networks = seeded_networks(TOY, 1)
    volume, source, driving = networks.appearance(torch.rand(1, 3, 256, 256)), points(3, 1), points(4, 3)
    together = networks.image(volume.expand(3, -1, -1, -1, -1), source.expand(3, -1, -1), driving)
    apart = torch.cat([networks.image(volume, source, driving[i:i + 1]) for i in range(3)])
    assert together.shape == (3, 3, 512, 512)
    assert torch.allclose(together, apart, atol=1e-4)
    assert (together[0] - together[1]).abs().max() > 1e-4


def test_gradients_reach_motion_extractor_through_the_picture():
    networks = seeded_networks(TOY, 1)
    pictures = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(1))
    head = networks.head_motion(pictures)
    x = head.keypoints()
    networks.image(networks.appearance(pictures), x, x.flip(0)).mean().backward()
    for name in ("fc_exp", "fc_kp", "fc_yaw", "fc_scale", "fc_t"):
        assert networks.motion.detector.get_submodule(name).weight.grad.abs().sum() > 0, name


@torch.inference_mode()
def test_ready_networks_give_the_same_pictures():
    """Baking the spectral norm in changes nothing but the last bits; bf16 and channels-last stay within their error."""
    picture = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(2))
    source, driving = points(5, 1), points(6, 1)

    def rendered(runtime: Runtime | None) -> torch.Tensor:
        networks = fill(seeded_networks(TOY, 1))
        dtype = torch.float32
        if runtime is not None:
            ready(networks, runtime, "cpu")
            dtype = torch.bfloat16 if runtime.precision == "bf16" else dtype
        return networks.image(networks.appearance(picture.to(dtype)), source, driving).float()

    wanted = rendered(None)
    assert wanted.std() > 0.02
    assert (rendered(Runtime()) - wanted).abs().max() < 1e-5
    assert (rendered(Runtime(channels_last=True)) - wanted).abs().max() < 1e-5
    assert (rendered(Runtime(precision="bf16")) - wanted).abs().mean() < 0.01


def test_an_unknown_precision_is_named():
    with pytest.raises(ValueError, match="fp16"):
        ready(seeded_networks(TOY, 1), Runtime(precision="fp16"), "cpu")


def constant(network: torch.nn.Module, values: torch.Tensor) -> None:
    """Make an MLP answer `values` to everything."""
    torch.nn.init.zeros_(network.mlp[-1].weight)
    network.mlp[-1].bias.data = values


def test_stitching_adds_a_delta_and_a_shift():
    retargeting = Retargeting()
    constant(retargeting.stitching, torch.cat([torch.arange(63.0), torch.tensor([100.0, 200.0])]))
    x = points(7, 1)
    change = retargeting.stitch(points(8, 1), x) - x
    assert change[0, 0].tolist() == pytest.approx([100, 201, 2], abs=1e-4)
    assert change[0, 20].tolist() == pytest.approx([160, 261, 62], abs=1e-4)
