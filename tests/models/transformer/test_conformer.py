import pytest
import torch

from models.transformer.conformer import ConformerBlock, rotary_angles, rotate


def test_rotary_scores_depend_on_distance_alone():
    query, key = torch.randn(8, dtype=torch.float64), torch.randn(8, dtype=torch.float64)
    angles = rotary_angles(20, 8).double()
    queries, keys = rotate(query.expand(20, 8), angles), rotate(key.expand(20, 8), angles)
    scores = queries @ keys.T
    assert scores[3, 7].item() == pytest.approx(scores[11, 15].item(), abs=1e-6)
    assert scores[3, 7].item() != pytest.approx(scores[3, 8].item(), abs=1e-3)


@pytest.mark.parametrize("norm", ["layer", "group", "batch"])
@pytest.mark.parametrize("training", [True, False])
def test_padding_changes_nothing_for_real_frames(norm, training):
    torch.manual_seed(0)
    block = ConformerBlock(16, 2, 2, 5, norm, dropout=0.0).train(training)
    x = torch.randn(3, 9, 16)
    short = block(x[:, :6])
    mask = (torch.arange(9) < 6).expand(3, 9)
    torch.testing.assert_close(block(x, mask)[:, :6], short, rtol=1e-5, atol=1e-5)
    other = torch.where(mask[..., None], x, torch.full_like(x, 50.0))
    torch.testing.assert_close(block(other, mask)[:, :6], short, rtol=1e-5, atol=1e-5)


def test_parameter_count_of_gulatis_block():
    """24 d^2 + 62 d with a kernel of 31 and no depthwise bias, less the relative attention's projection (d^2) and its
    two biases (2 d) that rotary positions do not need, plus the depthwise bias (d)."""
    block = ConformerBlock(64, 4, 4, 31, "batch", 0.1)
    assert sum(p.numel() for p in block.parameters()) == 24 * 64**2 + 62 * 64 - 64**2 - 2 * 64 + 64


def test_gradients_reach_every_parameter():
    block = ConformerBlock(16, 2, 2, 5, "layer", dropout=0.0)
    block(torch.randn(2, 7, 16)).square().sum().backward()
    # a layer norm's output has a square sum that is nearly constant, hence not .sum() of it
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in block.parameters())


@pytest.mark.parametrize("norm", ["layer", "group", "batch"])
def test_gradients_against_differences_in_float64(norm):
    torch.manual_seed(0)
    block = ConformerBlock(8, 2, 2, 3, norm, dropout=0.0).double()
    x = torch.randn(2, 5, 8, dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    assert torch.autograd.gradcheck(lambda value: block(value, mask)[mask], (x,))


def test_the_block_is_gulatis_sandwich():
    """Half feed-forward, attention, convolution, half feed-forward, each added, and a last layer norm."""
    torch.manual_seed(0)
    block, x = ConformerBlock(8, 2, 2, 3, "batch", dropout=0.0).eval(), torch.randn(2, 5, 8)
    h = x + 0.5 * block.feed_in(x)
    h = h + block.attention(block.attention_norm(h))
    y = torch.nn.functional.glu(block.convolution.expand(block.convolution.norm_in(h)), dim=-1).transpose(1, 2)
    y = block.convolution.norm.norm(block.convolution.depthwise(y))
    h = h + block.convolution.out((y * torch.sigmoid(y)).transpose(1, 2))
    torch.testing.assert_close(block(x), block.norm(h + 0.5 * block.feed_out(h)))
