"""Training and sampling together: a real clip is learned by heart, a distribution of two modes gives both back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.generation.generator import MotionGenerator
from models.generation.request import REPEATED, Request, SampleSettings
from models.generation.torch_network import TorchNetwork
from models.motion.motion import RHO_DIM
from models.motion.normalization import MotionStatistics, Normalizer
from tests.training.toy import SPEECH_DIM, K, clips, job, model, statistics
from training.engine.context import PlainContext
from training.motion.clips import TrainingClip
from training.motion.job import Job
from training.motion.learner import train

WINDOW = 50
RARELY = {"checkpoint_every": 10**6, "validate_every": 10**6, "log_every": 500}


def trained(made: Job, facts: MotionStatistics) -> MotionGenerator:
    """Train the job; generate without guidance."""
    made.model.load_state_dict(train(made, PlainContext())["model"])
    return MotionGenerator(TorchNetwork(made.model), made.objective.alpha_bar.numpy(), made.objective.target, facts, (),
                           SampleSettings("ddim", 50, 1.0, 1.0, 10.0, 0, 3.0, 1.0, 1.0, 1))


@pytest.mark.slow
@pytest.mark.parametrize(("target", "steps", "tolerance"), [("x0", 400, 0.1), ("v", 1500, 0.1), ("eps", 1500, 0.35)])
def test_both_modes_of_a_two_mode_distribution_are_sampled(tmp_path, target, steps, tolerance):
    """All of a clip's motion is +1 or -1, and nothing that the model sees says which."""
    data = [replace(clip, motion=np.full_like(clip.motion, 1 if index % 2 else -1))
            for index, clip in enumerate(clips(40, frames=8))]
    made = job(tmp_path, model(dim=32), data, steps=steps, lr=3e-3, ema_decay=0.99, **RARELY)
    made.batches = replace(made.batches, batch=16, start_share=1.0, truncate_share=0.0, drop_audio=1.0,
                           drop_identity=1.0)
    made.objective = replace(made.objective, target=target)
    generator = trained(made, statistics())
    nothing, x_c = np.zeros((8, SPEECH_DIM), np.float32), np.zeros((K, 3), np.float32)
    motions = generator.generate_batch([Request(nothing, x_c, np.zeros(7), seed=seed) for seed in range(100)],
                                       audio_scale=0.0, limit=4.0)
    pose = np.stack(motions)[..., -RHO_DIM:] / statistics().pose_std  # normalised again
    means = pose.mean(axis=(1, 2))
    assert 0.3 < (means > 0).mean() < 0.7
    assert np.abs(pose - np.sign(means)[:, None, None]).mean() < tolerance


@pytest.mark.slow
@pytest.mark.media
def test_one_real_motion_clip_is_learned_by_heart(tmp_path, media):
    """Every frame's speech is a random vector, so the model can know where in the clip it is."""
    motion, facts, pose = real_clip(media / "motion/d5.npz")
    motion = motion[:WINDOW + 2 * (WINDOW - REPEATED)]  # whole windows: shortened ones are not trained here
    speech = np.random.default_rng(0).standard_normal((len(motion), SPEECH_DIM)).astype(np.float32)
    clip = TrainingClip("d5", np.zeros((21, 3), np.float32), facts.normalize(motion, pose).astype(np.float32), speech)
    network = model(num_keypoints=21, dim=64, window=WINDOW, previous=10, mlp_ratio=4, layers=2, conv_kernel=9)
    made = job(tmp_path, network, [clip], steps=1200, lr=3e-3, ema_decay=0.99, **RARELY)
    alive = np.concatenate([facts.expression.alive, pose.alive])
    network.motion_mask.copy_(torch.from_numpy(alive))
    made.batches = replace(made.batches, truncate_share=0.0, drop_audio=0.0, batch=4)
    generator = trained(made, facts)
    got = generator.generate(Request(speech, clip.x_c, motion[:, 63:].mean(0)))
    error = (facts.normalize(got, pose) - clip.motion)[:, alive]  # in units of each dimension's deviation
    assert np.square(error).mean() < 0.01


def real_clip(path: Path) -> tuple[np.ndarray, MotionStatistics, Normalizer]:
    """m [T, 70] of a LivePortrait extraction, its own statistics, and its pose's."""
    stored = np.load(path)
    angles = np.stack([stored[name] for name in ("pitch", "yaw", "roll")], axis=-1)
    motion = np.concatenate([stored["exp"].reshape(-1, 63), stored["scale"], stored["t"], angles], axis=-1)
    mean, std = motion.mean(0, dtype=np.float64), motion.std(0, dtype=np.float64)
    facts = MotionStatistics(Normalizer.of(mean[:63], std[:63], 1e-4), mean[63:], std[63:], mean[63:], std[63:],
                             "clip", 1e-4)
    return motion, facts, facts.pose_of(mean[63:], std[63:])
