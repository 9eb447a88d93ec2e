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


def test_weights_point_nine_and_point_one_are_the_plain_mean_over_70_dimensions():
    prediction, target = torch.randn(2, 4, 70), torch.randn(2, 4, 70)
    expression, pose = loss_parts(prediction, target, torch.ones(2, 4, dtype=torch.bool), torch.ones(70))
    plain = (prediction - target).square().mean(dim=(1, 2))
    torch.testing.assert_close(0.9 * expression + 0.1 * pose, plain)


def test_previous_motion_is_noised_by_its_own_time_and_left_alone_at_minus_one():
    seen = {}

    def spy(noisy, time, speech, identity, previous, *_, **__):
        seen["previous"] = previous
        return noisy

    batch = make_batch(clips(), settings(), 0, 0)
    batch = replace(batch, previous_time=torch.tensor([-1, 0, 1, 2, 3, 4]))
    objective = Objective(alpha_bars("linear", 50), "eps", "sqrt", 1.0, 1.0, 0.0, False)
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
    objective = Objective(alpha_bars("linear", 50), target, "sqrt", 1.0, 0.5, 0.0, True)

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
