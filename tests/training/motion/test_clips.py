import numpy as np
import torch

from tests.training.toy import clips, model, stored
from training.motion.clips import fit_inputs


def test_clips_are_read_once_while_there_is_room():
    data, read = {clip.clip_id: clip for clip in clips(5)}, []

    def load(clip_id):
        read.append(clip_id)
        return data[clip_id]

    made = stored(list(data.values()), load)
    for index in (0, 3, 0, 3, -5):
        assert made[index].clip_id == f"clip{index % 5}"
    assert read == ["clip0", "clip3"] and len(made) == 5
    assert [clip.clip_id for clip in made[3:]] == ["clip3", "clip4"]


def test_the_one_used_longest_ago_makes_room():
    data, read = {clip.clip_id: clip for clip in clips(4, frames=30)}, []
    room = data["clip0"].nbytes + data["clip2"].nbytes
    made = stored(list(data.values()), lambda clip_id: read.append(clip_id) or data[clip_id], room)
    for index in (0, 1, 0, 2, 0, 1):
        made[index]
    assert read == ["clip0", "clip1", "clip2", "clip1"]


def test_a_clip_larger_than_the_room_stays_alone():
    data, read = clips(2), []
    made = stored(data, lambda clip_id: read.append(clip_id) or data[int(clip_id[-1])], data[0].nbytes - 1)
    for index in (0, 0, 1, 1, 0):
        assert made[index] is data[index]
    assert read == ["clip0", "clip1", "clip0"]


def test_inputs_are_standardised_over_all_frames_by_hand():
    data, network = clips(3), model()
    fit_inputs(network, data, np.ones(network.shape.motion_dim))
    frames = np.concatenate([clip.speech for clip in data]).astype(np.float64)
    np.testing.assert_allclose(network.speech_norm.mean, frames.mean(0), atol=1e-6)
    np.testing.assert_allclose(network.speech_norm.std, frames.std(0), rtol=1e-6)
    faces = torch.tensor(np.stack([clip.x_c.reshape(-1) for clip in data]))
    torch.testing.assert_close(network.identity_norm.mean, faces.mean(0))
