import pytest
import torch
from torch import nn

from tests.training.toy import clips, job, model
from training.engine.optimiser import AdamW, MovingAverage, learning_rate


def test_adamw_equals_pytorchs_bit_for_bit():
    torch.manual_seed(0)
    ours, theirs = nn.Linear(5, 3), nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    mine = AdamW(list(ours.parameters()), weight_decay=0.1)
    reference = torch.optim.AdamW(theirs.parameters(), lr=1e-2, weight_decay=0.1, fused=True)
    for _ in range(4):
        x = torch.randn(6, 5)
        for network in (ours, theirs):
            network(x).square().sum().backward()
        mine.step(1e-2)
        reference.step()
        reference.zero_grad()
    assert torch.equal(ours.weight, theirs.weight) and torch.equal(ours.bias, theirs.bias)
    assert ours.weight.grad is None


def test_average_by_hand_and_applied_for_a_while():
    weight = nn.Parameter(torch.tensor([1.0]))
    average = MovingAverage({"w": weight}, decay=0.5)
    with torch.no_grad():
        weight.fill_(2.0)
    average.update(0)  # d = min(0.5, 1 / 10)
    assert average.average["w"].item() == pytest.approx(0.1 * 1 + 0.9 * 2)
    average.update(1000)  # d = 0.5
    assert average.average["w"].item() == pytest.approx(0.5 * 1.9 + 0.5 * 2)
    with average.use():
        assert weight.item() == pytest.approx(1.95)
    assert weight.item() == 2.0


def test_learning_rate_warms_up_and_decays_to_its_share(tmp_path):
    settings = job(tmp_path, model(), clips(), steps=102, warmup_steps=2, lr=1.0).optimiser
    assert [learning_rate(settings, step) for step in (0, 1, 2)] == [0.5, 1.0, 1.0]
    assert learning_rate(settings, 52) == pytest.approx(0.55)
    assert learning_rate(settings, 102) == pytest.approx(0.1)
