"""Training batches as a pure function of (seed, step): a sample never depends on how many workers share the batch.

Sample n = step * batch + index of the whole run takes the next clip of its epoch's permutation, so every clip comes
once an epoch. Everything random about a sample is drawn from a generator of its own, seeded by (seed, step, index).
Worker r of R computes the indices r * batch / R to (r + 1) * batch / R.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from training.clips import TrainingClip


@dataclass(frozen=True)
class BatchSettings:
    """What a sample is drawn with; lengths in frames, the rest are probabilities."""

    batch: int  # of all workers together
    window: int
    previous: int
    diffusion_steps: int
    previous_noise_t_max: int  # eq. 9: t ~ U{0..t_max - 1}; 0 is off
    start_share: float  # windows with the learned start instead of previous motion
    truncate_share: float  # windows cut short at a random frame
    drop_audio: float
    drop_emotion: float
    drop_identity: float
    identity_noise: float  # standard deviation, in units of x_c
    num_emotions: int


@dataclass(frozen=True)
class Batch:
    """Letters as in models/motion_transformer.py."""

    clip_ids: list[str]
    motion: Tensor  # [B, W, D] clean
    noise: Tensor  # [B, W, D]
    time: Tensor  # [B]
    speech: Tensor  # [B, L, A]
    identity: Tensor  # [B, 3K]
    previous: Tensor  # [B, P, D] clean
    previous_noise: Tensor  # [B, P, D]
    previous_time: Tensor  # [B], -1: no noise
    has_previous: Tensor  # [B] bool
    mask: Tensor  # [B, L] bool
    drop_audio: Tensor  # [B] bool
    drop_identity: Tensor  # [B] bool
    emotion: Tensor  # [B, 1, E + 1], the null class where it was dropped or is unknown

    def to(self, device: torch.device) -> Batch:
        moved = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "clip_ids"}
        return Batch(self.clip_ids, **{name: value.to(device, non_blocking=True) for name, value in moved.items()})


def clip_order(seed: int, step: int, batch: int, clips: int) -> np.ndarray:
    """Clip indices [batch] of one step; consecutive steps walk through one permutation an epoch."""
    samples = np.arange(step * batch, (step + 1) * batch)
    return np.array([_permutation(seed, int(n // clips), clips)[n % clips] for n in samples])


def make_batch(clips: list[TrainingClip], settings: BatchSettings, seed: int, step: int, rank: int = 0,
               world_size: int = 1) -> Batch:
    """The share of `rank` in the batch of `step`."""
    share = settings.batch // world_size
    order = clip_order(seed, step, settings.batch, len(clips))
    offset = np.random.default_rng([seed, step]).random()
    indices = range(rank * share, (rank + 1) * share)
    return collate([draw_sample(clips[order[i]], settings, np.random.default_rng([seed, step, i]),
                                 (i / settings.batch + offset) % 1.0) for i in indices])


def draw_sample(clip: TrainingClip, settings: BatchSettings, random: np.random.Generator, noise_level: float) -> dict:
    """One sample as arrays; `noise_level` in [0, 1) picks the diffusion time, spread evenly over a batch."""
    window, previous, dims = settings.window, settings.previous, clip.motion.shape[1]
    has_previous = len(clip) > previous and random.random() >= settings.start_share
    first = previous if has_previous else 0
    start = int(random.integers(first, max(first, len(clip) - window) + 1))
    length = min(window, len(clip) - start)
    if random.random() < settings.truncate_share:
        length = int(random.integers(1, length + 1))
    dropped = random.random() < settings.drop_emotion
    emotion = np.zeros((1, settings.num_emotions + 1), np.float32)
    emotion[0, -1 if dropped else clip.emotion] = 1  # index -1 is the null class, last
    noised = settings.previous_noise_t_max > 0
    sample = {
        "clip_ids": clip.clip_id,
        "motion": _frames(clip.motion, start, start + length, window),
        "noise": random.standard_normal((window, dims), np.float32),
        "time": int(noise_level * settings.diffusion_steps),
        "speech": np.concatenate([_frames(clip.speech, start - previous if has_previous else 0, start * has_previous,
                                          previous), _frames(clip.speech, start, start + length, window)]),
        "identity": clip.x_c.reshape(-1),
        "drop_identity": random.random() < settings.drop_identity,
        "previous": _frames(clip.motion, start - previous if has_previous else 0, start * has_previous, previous),
        "previous_noise": random.standard_normal((previous, dims), np.float32),
        "previous_time": int(random.integers(settings.previous_noise_t_max)) if noised else -1,
        "has_previous": has_previous,
        "mask": np.arange(previous + window) < previous + length,
        "drop_audio": random.random() < settings.drop_audio,
        "emotion": emotion,
    }
    sample["identity"] = sample["identity"] + np.float32(settings.identity_noise) * random.standard_normal(
        clip.x_c.size, np.float32)  # drawn last; few people are in most training sets: a new face must not be a far one
    return sample


def _frames(values: np.ndarray, start: int, end: int, length: int) -> np.ndarray:
    """values[start:end] with zeros behind up to `length` frames."""
    out = np.zeros((length, values.shape[1]), np.float32)
    out[:end - start] = values[start:end]
    return out


def collate(samples: list[dict]) -> Batch:
    """Stack what `draw_sample` gave."""
    columns = {name: [sample[name] for sample in samples] for name in samples[0]}
    ids = columns.pop("clip_ids")
    return Batch(ids, **{name: torch.from_numpy(np.stack(values)) for name, values in columns.items()})


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, clips: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch, clips]).permutation(clips)
