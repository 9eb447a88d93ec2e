import pytest
import torch

from models.transformer.conditions import Standardise, time_frequencies
from tests.training.toy import MOTION_DIM, SPEECH_DIM, K, model


def inputs(count=2, window=8, previous=3):
    """noisy, time, speech, identity, previous, has_previous."""
    torch.manual_seed(1)
    return [torch.randn(count, window, MOTION_DIM), torch.arange(count) + 3,
            torch.randn(count, previous + window, SPEECH_DIM), torch.randn(count, 3 * K),
            torch.randn(count, previous, MOTION_DIM), torch.tensor([True] + [False] * (count - 1))]


def test_time_embedding_of_dit():
    ours = time_frequencies(torch.tensor([10]))[0]
    second = torch.tensor(10 * 10000 ** (-1 / 128)).cos().item()
    assert ours[:2].tolist() == pytest.approx([-0.839072, second], abs=1e-5)
    assert ours[128].item() == pytest.approx(-0.544021, abs=1e-5)


def test_stage_two_begins_as_stage_one_bit_for_bit():
    stage_one, joint = model(), model(num_emotions=8)
    joint.load_state_dict(stage_one.state_dict(), strict=False)
    weights = torch.softmax(torch.randn(2, 1, 9), dim=-1)
    assert torch.equal(joint(*inputs(), emotion=weights), stage_one(*inputs()))


def test_emotion_moves_expression_and_never_pose():
    joint = model(num_emotions=8)
    for block in joint.emotion.blocks:
        torch.nn.init.normal_(block.modulation[1].weight)
    without = joint(*inputs())
    with_emotion = joint(*inputs(), emotion=torch.eye(9)[:2, None])
    assert torch.equal(without[..., 3 * K:], with_emotion[..., 3 * K:])
    assert (without[..., :3 * K] - with_emotion[..., :3 * K]).abs().max() > 0.01


def test_learned_start_stands_for_absent_previous_motion_and_speech():
    values = inputs()
    changed = [value.clone() for value in values]
    changed[4] += 1  # previous motion
    changed[2][:, :3] += 1  # its speech
    difference = (model()(*values) - model()(*changed)).abs().amax(dim=(1, 2))
    assert difference[0] > 1e-3 and difference[1] == 0


def test_dropped_audio_and_identity_are_not_seen():
    network, values = model(), inputs()
    drop = torch.tensor([True, False])
    for position, name in ((2, "drop_audio"), (3, "drop_identity")):
        changed = [value.clone() for value in values]
        changed[position] += 1
        difference = network(*values, **{name: drop}) - network(*changed, **{name: drop})
        change = difference.abs().amax(dim=(1, 2))
        assert change[0] == 0 and change[1] > 1e-3


def test_padding_mask_keeps_real_frames_as_they_are():
    network, values = model(), inputs()
    mask = (torch.arange(11) < 3 + 5).expand(2, 11)
    changed = [value.clone() for value in values]
    changed[0][:, 5:] = 9
    changed[2][:, 8:] = 9
    ours, other = network(*values, mask=mask)[:, :5], network(*changed, mask=mask)[:, :5]
    torch.testing.assert_close(ours, other, rtol=1e-5, atol=1e-6)


def test_dead_dimensions_are_neither_read_nor_written():
    network, values = model(), inputs()
    network.motion_mask[2] = 0
    changed = [value.clone() for value in values]
    changed[0][..., 2] = 100
    changed[4][..., 2] = 100
    assert torch.equal(network(*values), network(*changed))
    assert (network(*values)[..., 2] == 0).all()


def test_standardise_only_centres_what_does_not_move():
    norm = Standardise(2)
    norm.fit(torch.tensor([1.0, 5.0]), torch.tensor([2.0, 0.0]))
    assert norm(torch.tensor([[3.0, 6.0]])).tolist() == [[1.0, 1.0]]
