from dataclasses import replace

import pytest
import torch

from models.diffusion.schedule import alpha_bars
from tests.training.motion.test_batches import settings
from tests.training.toy import clips, model
from training.motion.batches import make_batch
from training.motion.losses import Objective, loss_parts


def test_loss_by_hand():
    prediction, target = torch.zeros(1, 3, 9), torch.zeros(1, 3, 9)
    target[0, 0, 0], target[0, 1, 1], target[0, 2, 0] = 2.0, 3.0, 99.0  # the last frame is padding
    target[0, 0, 8] = 4.0
    motion_mask = torch.ones(9)
    motion_mask[1] = 0  # dead
    expression, pose = loss_parts(prediction, target, torch.tensor([[True, True, False]]), motion_mask)
    assert expression.tolist() == [2.0**2 / 2]  # two frames, one live expression dimension
    assert pose.item() == pytest.approx(4.0**2 / (2 * 7))


def test_velocity_counts_changes_between_real_frames_of_the_pose_alone():
    target, prediction = torch.zeros(1, 4, 9), torch.zeros(1, 4, 9)
    prediction[0, :, 8] = torch.tensor([1.0, 3.0, 2.0, 99.0])  # the last frame is padding
    prediction[0, 1, 0] = 5.0  # expression
    mask = torch.tensor([[True, True, True, False]])
    plain, moved = (loss_parts(prediction, target, mask, torch.ones(9), weight) for weight in (0.0, 2.0))
    assert moved[0] == plain[0]
    assert (moved[1] - plain[1]).item() == pytest.approx(2.0 * ((3 - 1) ** 2 + (2 - 3) ** 2) / (3 * 7))
    assert loss_parts(prediction, target, mask, torch.zeros(9), 2.0)[1] == 0  # a dead dimension has no speed


@pytest.mark.parametrize(("dead", "of_expression", "of_pose"), [(0, 0.9, 0.1), (27, 36 / 43, 7 / 43)])
def test_equal_weights_of_dimensions_are_eq_7s_plain_mean_however_many_are_dead(dead, of_expression, of_pose):
    """27 of LivePortrait's 63 are; weights of parts must then be 0.837 and 0.163 for the same."""
    prediction, target = torch.randn(2, 4, 70), torch.randn(2, 4, 70)
    motion_mask = torch.ones(70)
    motion_mask[:dead] = 0
    parts = loss_parts(prediction, target, torch.ones(2, 4, dtype=torch.bool), motion_mask)
    plain = (prediction - target)[..., dead:].square().mean(dim=(1, 2))
    torch.testing.assert_close(objective("dimension", 1.0, 1.0).weigh(*parts, motion_mask), plain)
    torch.testing.assert_close(objective("part", of_expression, of_pose).weigh(*parts, motion_mask), plain)


def test_unequal_weights_of_dimensions_by_hand():
    motion_mask = torch.ones(9)  # two of expression, seven of pose
    motion_mask[1] = 0
    loss = objective("dimension", 3.0, 1.0).weigh(torch.tensor(5.0), torch.tensor(2.0), motion_mask)
    assert loss.item() == pytest.approx((3 * 1 * 5 + 1 * 7 * 2) / (3 * 1 + 1 * 7))
    assert objective("part", 3.0, 1.0).weigh(torch.tensor(5.0), torch.tensor(2.0), motion_mask) == 17.0


def objective(weight_of: str, expression: float, pose: float) -> Objective:
    return Objective(torch.from_numpy(alpha_bars("linear", 50)), "eps", "sqrt", weight_of, expression, pose, 0.0,
                     False)


def test_previous_motion_is_noised_by_its_own_time_and_left_alone_at_minus_one():
    seen = {}

    def spy(noisy, time, speech, identity, previous, *_, **__):
        seen["previous"] = previous
        return noisy

    batch = make_batch(clips(), settings(), 0, 0)
    batch = replace(batch, previous_time=torch.tensor([-1, 0, 1, 2, 3, 4]))
    objective = Objective(torch.from_numpy(alpha_bars("linear", 50)), "eps", "sqrt", "part", 1.0, 1.0, 0.0, False)
    objective.predict(spy, batch)
    change = (seen["previous"] - batch.previous)[batch.has_previous].flatten(1)
    assert torch.equal(seen["previous"][0], batch.previous[0])
    level = objective.alpha_bar[4]
    expected = level.sqrt() * batch.previous[5] + (1 - level).sqrt() * batch.previous_noise[5]
    torch.testing.assert_close(seen["previous"][5], expected.float())
    assert change.shape[1] == 3 * 16


@pytest.mark.parametrize("target", ["eps", "x0", "v"])
def test_gradient_of_the_whole_objective_against_differences(target):
    network, batch = model(num_emotions=8).double(), make_batch(clips(emotion=True), settings(batch=2), 0, 1)
    doubles = {k: v.double() for k, v in vars(batch).items() if isinstance(v, torch.Tensor) and v.is_floating_point()}
    batch = replace(batch, **doubles)
    objective = Objective(torch.from_numpy(alpha_bars("linear", 50)), target, "sqrt", "part", 1.0, 0.5, 0.0, True)

    def value() -> torch.Tensor:
        prediction, wanted = objective.predict(network, batch)
        return sum(((prediction - wanted) * batch.mask[:, 3:, None]).square().sum(dim=-1).mean(dim=1))

    value().backward()
    for parameter in (network.conformer[0].attention.qkv.weight, network.audio.projection.weight):
        index = parameter.grad.abs().argmax()
        with torch.no_grad():
            flat, step = parameter.view(-1), 1e-6
            flat[index] += step
            above = value()
            flat[index] -= 2 * step
            below = value()
            flat[index] += step
        assert ((above - below) / (2 * step)).item() == pytest.approx(parameter.grad.view(-1)[index].item(), rel=1e-5)
