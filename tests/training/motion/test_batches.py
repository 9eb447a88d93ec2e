import numpy as np
import pytest
import torch

from tests.training.toy import clips
from training.engine.context import clip_order, share_of
from training.motion.batches import BatchSettings, draw_noise, draw_samples, dropped_conditions, make_batch
from training.motion.seeds import generators


def settings(**changes) -> BatchSettings:
    values = {"batch": 6, "window": 8, "previous": 3, "diffusion_steps": 50, "previous_noise_t_max": 5,
              "start_share": 0.3, "truncate_share": 0.3, "free_pose": 0.3, "drop": "independent", "drop_audio": 0.5,
              "drop_emotion": 0.5,
              "drop_identity": 0.5, "identity_noise": 0.0, "num_emotions": 8}
    return BatchSettings(**{**values, **changes})


def sample(clip, seed=0, level=0.5, **changes) -> dict:
    drawn = draw_samples([clip], settings(**changes), [np.random.default_rng(seed)], [level])
    return {name: value[0].numpy() for name, value in vars(drawn).items() if name != "clip_ids"}


def test_every_clip_comes_once_an_epoch():
    order = np.concatenate([clip_order(3, step, 6, 15) for step in range(10)]).reshape(4, 15)
    assert all(sorted(epoch) == list(range(15)) for epoch in order)
    assert not np.array_equal(order[0], order[1])
    assert not np.array_equal(order[0], clip_order(4, 0, 15, 15))


@pytest.mark.parametrize("world_size", [2, 3, 4, 6])
def test_the_global_batch_does_not_depend_on_the_number_of_workers(world_size):
    data = clips(emotion=True)
    whole = make_batch(data, settings(), 5, 11)
    parts = [make_batch(data, settings(), 5, 11, rank, world_size) for rank in range(world_size)]
    assert whole.clip_ids == [clip_id for part in parts for clip_id in part.clip_ids]
    for name, value in vars(whole).items():
        if name != "clip_ids":
            assert torch.equal(value, torch.cat([getattr(part, name) for part in parts])), name


def test_noise_is_standard_normal_and_a_function_of_its_seed_alone():
    noise = draw_noise(range(200), (11, 50))
    assert noise.mean().item() == pytest.approx(0, abs=0.01) and noise.std().item() == pytest.approx(1, abs=0.01)
    assert noise.pow(4).mean().item() == pytest.approx(3, abs=0.1)
    assert torch.corrcoef(noise.flatten(1)).fill_diagonal_(0).abs().max() < 0.25  # 5.9 standard deviations
    assert torch.equal(draw_noise([7, 150], (11, 50)), noise[[7, 150]])


def test_noise_of_window_and_previous_frames_of_all_samples_differ():
    batch = make_batch(clips(), settings(), 5, 11)
    frames = torch.cat([batch.previous_noise, batch.noise], dim=1).flatten(0, 1)
    assert len(frames.unique(dim=0)) == len(frames) == 6 * 11


def test_shares_of_any_number_of_workers_cover_the_batch_in_order():
    assert [list(share_of(7, rank, 3)) for rank in range(3)] == [[0, 1], [2, 3], [4, 5, 6]]


def test_identity_noise_moves_the_canonical_points():
    [clip] = clips(1)
    plain, noisy = sample(clip, identity_noise=0.0), sample(clip, identity_noise=0.1)
    gap = noisy["identity"] - plain["identity"]
    assert 0.02 < gap.std() < 0.3 and np.array_equal(plain["identity"], clip.x_c.reshape(-1))
    assert all(np.array_equal(plain[name], noisy[name]) for name in plain if name != "identity")


def test_windows_previous_frames_and_speech_belong_together():
    [clip] = clips(1)
    for seed in range(50):
        drawn = sample(clip, seed, free_pose=0.0)
        length = int(drawn["mask"].sum()) - 3
        starts = [i for i in range(len(clip) - length + 1)
                  if np.array_equal(clip.motion[i:i + length], drawn["motion"][:length])]
        assert len(starts) == 1
        assert np.array_equal(drawn["speech"][3:3 + length], clip.speech[starts[0]:starts[0] + length])
        assert not drawn["motion"][length:].any() and not drawn["speech"][3 + length:].any()
        before = slice(starts[0] - 3, starts[0]) if drawn["has_previous"] else slice(0, 0)
        assert np.array_equal(drawn["previous"][:3 if drawn["has_previous"] else 0], clip.motion[before])
        assert np.array_equal(drawn["speech"][:3 if drawn["has_previous"] else 0], clip.speech[before])


def test_short_clips_are_padded_and_masked():
    [clip] = clips(1, frames=5)
    drawn = sample(clip, start_share=1.0, truncate_share=0.0)
    assert drawn["mask"].tolist() == [True] * 8 + [False] * 3
    [tiny] = clips(1, frames=3)
    assert not sample(tiny, start_share=0.0)["has_previous"]


def test_shares_are_kept():
    [clip] = clips(1, emotion=True)
    drawn = [sample(clip, seed, start_share=0.2, drop_audio=0.1, truncate_share=0.0) for seed in range(2000)]
    assert np.mean([not d["has_previous"] for d in drawn]) == pytest.approx(0.2, abs=0.03)
    assert np.mean([d["drop_audio"] for d in drawn]) == pytest.approx(0.1, abs=0.02)
    assert np.mean([d["emotion"][0, -1] for d in drawn]) == pytest.approx(0.5, abs=0.04)
    assert {int(d["previous_time"]) for d in drawn} == set(range(5))


def test_conditions_can_be_forced():
    [clip] = clips(1, emotion=True)
    always = sample(clip, drop_audio=1.0, drop_emotion=1.0, drop_identity=1.0)
    never = sample(clip, drop_audio=0.0, drop_emotion=0.0, drop_identity=0.0, previous_noise_t_max=0)
    assert always["drop_audio"] and always["drop_identity"] and always["emotion"][0].tolist() == [0] * 8 + [1]
    assert not never["drop_audio"] and never["emotion"][0].tolist() == [1] + [0] * 8
    assert never["previous_time"] == -1


@pytest.mark.parametrize(("drop", "none", "audio", "emotion", "both"), [
    ("nested", 0.1, 0.2, 0.0, 0.7), ("independent", 0.02, 0.18, 0.08, 0.72)])
def test_each_branch_of_eq_8_has_its_share(drop, none, audio, emotion, both):
    """drop_audio 0.1, drop_emotion 0.2; independent draws give the first branch their product, and a fourth branch that
    guidance never asks."""
    [clip] = clips(1, emotion=True)
    drawn = [sample(clip, seed, drop=drop, drop_audio=0.1, drop_emotion=0.2) for seed in range(4000)]
    seen = [(not d["drop_audio"], not d["emotion"][0, -1]) for d in drawn]
    found = [seen.count(case) / len(seen) for case in ((False, False), (True, False), (False, True), (True, True))]
    assert found == pytest.approx([none, audio, emotion, both], abs=0.025)  # 3.3 standard deviations at most
    assert (found[2] == 0) == (drop == "nested")


def test_nested_drops_by_hand():
    nested = settings(drop="nested", drop_audio=0.1, drop_emotion=0.2)
    assert [dropped_conditions(nested, 0.0, draw) for draw in (0.0, 0.09, 0.1, 0.29, 0.31, 0.99)] == [
        (True, True), (True, True), (False, True), (False, True), (False, False), (False, False)]


def test_times_are_spread_over_the_whole_schedule():
    data = clips()
    times = make_batch(data, settings(batch=50), 0, 0).time.sort().values
    assert torch.equal(times, torch.arange(50))


def test_a_free_pose_is_the_clips_own_of_another_moment_and_leaves_the_rest():
    """Pose [7] and previous pose are one run of the clip, forwards or backwards; expression and speech do not move."""
    [clip] = clips(1)
    moved = backwards = 0
    for seed in range(60):
        plain, free = sample(clip, seed, free_pose=0.0), sample(clip, seed, free_pose=1.0)
        assert all(np.array_equal(plain[name], free[name]) for name in plain if name not in ("motion", "previous"))
        for name in ("motion", "previous"):
            assert np.array_equal(plain[name][:, :-7], free[name][:, :-7])
        length = int(plain["mask"].sum()) - 3
        pose = np.concatenate([free["previous"][:, -7:] if free["has_previous"] else free["previous"][:0, -7:],
                               free["motion"][:length, -7:]])
        runs = [clip.motion[i:i + len(pose), -7:] for i in range(len(clip) - len(pose) + 1)]
        forwards = any(np.array_equal(run, pose) for run in runs)
        assert forwards or any(np.array_equal(run[::-1], pose) for run in runs)
        backwards += not forwards
        moved += not np.array_equal(plain["motion"], free["motion"])
        assert not free["motion"][length:].any()
    assert moved > 40 and 10 < backwards < 50


@pytest.mark.parametrize("seed", [0, 7, 2**32, 2**70 + 3, 2**200])
@pytest.mark.parametrize("step", [0, 11, 2**33])
def test_a_samples_generator_is_numpys_for_seed_step_and_index(seed, step):
    indices = [0, 5, 6, 2**32 - 1]
    for random, index in zip(generators(seed, step, indices), indices, strict=True):
        numpys = np.random.default_rng([seed, step, index])
        assert random.bit_generator.state == numpys.bit_generator.state
        assert random.integers(5) == numpys.integers(5)     # leaves half a number behind, which the next must not see


def test_a_batch_in_memory_that_was_used_before_is_that_in_fresh_memory():
    """Windows cut short or without previous motion leave rows that only the batch before has written."""
    data, cut = clips(frames=40), settings(truncate_share=0.9, start_share=0.5)
    held = [make_batch(data, cut, 0, step).speech for step in range(4)]
    places, wanted = [speech.data_ptr() for speech in held], [speech.clone() for speech in held]
    assert len(set(places)) == 4
    part = held[0][2:]
    del held
    for step in reversed(range(4)):
        again = make_batch(data, cut, 0, step).speech
        assert again.data_ptr() in places[1:] and torch.equal(again, wanted[step])
    assert torch.equal(part, wanted[0][2:])     # a view keeps its memory from being used
