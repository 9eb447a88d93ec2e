"""Clips unpacked to a node's disk: the same values, made once, windows alone are read, batches equal bit for bit."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from multiprocessing.pool import ThreadPool

import numpy as np
import pytest
import torch

from tests.training.toy import clips, job, model, stored
from training.engine.context import PlainContext
from training.motion.build import emotion_centres
from training.motion.learner import train
from training.motion.unpacked import unpack


class Killed(Exception):
    pass


@pytest.fixture
def data():
    return [replace(clip, speech=clip.speech.astype(np.float16)) for clip in clips(5)]


def of(data):
    return stored(data, {clip.clip_id: clip for clip in data}.__getitem__)


def test_unpacked_clips_are_the_stored_ones(tmp_path, data):
    data = [replace(clip, emotion=index) for index, clip in enumerate(data)]
    made = unpack(of(data), tmp_path)
    assert len(made) == 5 and [clip.clip_id for clip in made[1:3]] == ["clip1", "clip2"]
    for clip, original in zip(made, data, strict=True):
        assert (clip.clip_id, clip.emotion, len(clip)) == (original.clip_id, original.emotion, len(original))
        for name in ("x_c", "motion", "speech"):
            assert getattr(clip, name).dtype == getattr(original, name).dtype
            np.testing.assert_array_equal(getattr(clip, name), getattr(original, name))
    assert made[-1].clip_id == "clip4"
    with pytest.raises(ValueError, match="read-only"):
        made[0].motion[0] = 1


def test_the_copy_is_made_once_and_a_half_one_is_made_anew(tmp_path, data):
    unpack(of(data), tmp_path)

    def never(clip_id):
        raise AssertionError("the store was read again")

    assert np.array_equal(unpack(stored(data, never), tmp_path)[2].motion, data[2].motion)
    (tmp_path / "toy/x_c.npy").unlink()  # as if the process had been killed before its last file
    assert np.array_equal(unpack(of(data), tmp_path)[2].x_c, data[2].x_c)
    assert sorted(path.name for path in (tmp_path / "toy").iterdir()) == ["lock", "motion.npy", "speech.npy", "x_c.npy"]


def test_workers_of_a_node_make_it_together_once(tmp_path, data):
    read = []

    def load(clip_id):
        read.append(clip_id)
        return next(clip for clip in data if clip.clip_id == clip_id)

    with ThreadPool(4) as pool:
        pool.map(lambda _: unpack(stored(data, load), tmp_path), range(4))
    assert sorted(read) == sorted(clip.clip_id for clip in data)


def test_loading_threads_and_the_copy_change_no_bit_also_over_a_kill(tmp_path, data):
    def made(name, **how):
        run = job(tmp_path / name, model(), data, prefetch=3)
        for key, value in how.items():
            setattr(run, key, value)
        return run

    def kill(step):
        if step == 3:
            raise Killed

    plain = train(made("plain"), PlainContext())
    threads = {"loaders": 3, "unpack": partial(unpack, of(data), tmp_path / "node")}
    with pytest.raises(Killed):
        train(made("threads", **threads, on_step=kill), PlainContext())
    resumed = train(made("threads", **threads), PlainContext())
    assert resumed["history"] == plain["history"]
    assert all(torch.equal(value, resumed["weights"][name]) for name, value in plain["weights"].items())


def test_an_error_in_a_loading_thread_is_the_training_s(tmp_path, data):
    run = job(tmp_path, model(), data, prefetch=3)
    run.loaders = 2
    run.clips = stored(data, {}.__getitem__)  # fails at the first clip
    with pytest.raises(KeyError):
        train(run, PlainContext())


def test_centres_load_fifty_clips_of_a_label_and_no_more():
    many, read = clips(120, frames=4), []

    def load(clip_id):
        read.append(clip_id)
        return many[int(clip_id.removeprefix("clip"))]

    emotions = [index % 2 for index in range(120)]
    centres = emotion_centres(stored(many, load), emotions)
    assert sorted(centres) == [0, 1] and len(read) == 100 and max(int(name[4:]) for name in read) == 99
    expected = np.mean([clip.motion[:, :-7].mean(axis=0, dtype=np.float64) for clip in many[1:100:2]], axis=0)
    np.testing.assert_allclose(centres[1], expected, rtol=1e-12)
