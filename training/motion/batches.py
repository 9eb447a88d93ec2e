"""Training batches as a pure function of (seed, step): a sample never depends on how many workers share the batch.

Everything random about a sample is drawn from a generator of its own, seeded by (seed, step, index); its noise from
PyTorch's, seeded by the first: it is three times as fast as NumPy's, which took half of a batch's time. Which clip a
sample takes is in training/engine/context.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from models.motion.motion import RHO_DIM
from training.engine.context import clip_order, share_of
from training.motion.clips import TrainingClip


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
    free_pose: float  # windows whose head pose is that of another moment of the clip
    drop: Literal["independent", "nested"]  # how audio and emotion are dropped together
    drop_audio: float
    drop_emotion: float
    drop_identity: float
    identity_noise: float  # standard deviation, in units of x_c
    num_emotions: int


@dataclass(frozen=True)
class Batch:
    """Letters as in models/transformer/motion_transformer.py."""

    clip_ids: list[str]
    motion: Tensor  # [B, W, D] clean
    noise: Tensor  # [B, W, D]
    time: Tensor  # [B]
    speech: Tensor  # [B, L, A] as it is stored, often float16; float32 on the device
    identity: Tensor  # [B, 3K]
    previous: Tensor  # [B, P, D] clean
    previous_noise: Tensor  # [B, P, D]
    previous_time: Tensor  # [B], -1: no noise
    has_previous: Tensor  # [B] bool
    mask: Tensor  # [B, L] bool
    drop_audio: Tensor  # [B] bool
    drop_identity: Tensor  # [B] bool
    emotion: Tensor  # [B, 1, E + 1], the null class where it was dropped or is unknown

    def __len__(self) -> int:
        return len(self.clip_ids)

    def to(self, device: torch.device) -> Batch:
        """There, with speech in float32: stored halves travel as they are."""
        moved = self._each(lambda value: value.to(device, non_blocking=True))
        return replace(moved, speech=moved.speech.float())

    def pinned(self) -> Batch:
        """In page-locked memory, from which a GPU copies without stopping."""
        return self._each(torch.Tensor.pin_memory)

    def part(self, rows: slice) -> Batch:
        """Some of its samples."""
        return Batch(self.clip_ids[rows], **{name: value[rows] for name, value in self._tensors().items()})

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        return Batch(self.clip_ids, **{name: change(value) for name, value in self._tensors().items()})

    def _tensors(self) -> dict[str, Tensor]:
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "clip_ids"}


def make_batch(clips: Sequence[TrainingClip], settings: BatchSettings, seed: int, step: int, rank: int = 0,
               world_size: int = 1) -> Batch:
    """The share of `rank` in the batch of `step`."""
    order = clip_order(seed, step, settings.batch, len(clips))
    offset = np.random.default_rng([seed, step]).random()
    share = share_of(settings.batch, rank, world_size)
    levels = [(i / settings.batch + offset) % 1.0 for i in share]
    return draw_samples([clips[order[i]] for i in share], settings,
                        [np.random.default_rng([seed, step, i]) for i in share], levels)


def draw_samples(clips: Sequence[TrainingClip], settings: BatchSettings, randoms: Sequence[np.random.Generator],
                 noise_levels: Sequence[float]) -> Batch:
    """One sample a clip, each from its own generator; `noise_levels` in [0, 1) pick the diffusion times."""
    rows, noises = _blank(len(clips), settings, clips[0]), []
    for row, (clip, random, level) in enumerate(zip(clips, randoms, noise_levels, strict=True)):
        noises.append(int(random.integers(2**32)))
        _draw_sample(rows, row, clip, settings, random, level)
    made = {name: torch.from_numpy(value) for name, value in rows.items()}
    shape = (settings.previous + settings.window, clips[0].motion.shape[1])
    previous_noise, noise = draw_noise(noises, shape).split([settings.previous, settings.window], dim=1)
    return Batch([clip.clip_id for clip in clips], noise=noise, previous_noise=previous_noise, **made)


def draw_noise(seeds: Sequence[int], shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers [len(seeds), *shape], each row a function of its 32-bit seed alone."""
    noise, generator = torch.empty(len(seeds), *shape), torch.Generator()
    for row, seed in zip(noise, seeds, strict=True):
        row.normal_(generator=generator.manual_seed(seed))
    return noise


def _blank(count: int, settings: BatchSettings, clip: TrainingClip) -> dict[str, np.ndarray]:
    """Zeros for `count` samples, to be written in place: copying them together later would cost as much again."""
    window, previous, dims = settings.window, settings.previous, clip.motion.shape[1]
    floats = {"motion": (window, dims), "previous": (previous, dims), "identity": (clip.x_c.size,),
              "emotion": (1, settings.num_emotions + 1)}
    return {**{name: np.zeros((count, *shape), np.float32) for name, shape in floats.items()},
            "speech": np.zeros((count, previous + window, clip.speech.shape[1]), clip.speech.dtype),
            "mask": np.zeros((count, previous + window), bool),
            **{name: np.zeros(count, bool) for name in ("has_previous", "drop_audio", "drop_identity")},
            **{name: np.zeros(count, np.int64) for name in ("time", "previous_time")}}


def _draw_sample(rows: dict[str, np.ndarray], row: int, clip: TrainingClip, settings: BatchSettings,
                 random: np.random.Generator, noise_level: float) -> None:
    """Write one sample into `rows`; the order of the draws is part of what a seed means."""
    window, previous = settings.window, settings.previous
    has_previous = len(clip) > previous and random.random() >= settings.start_share
    first = previous if has_previous else 0
    start = int(random.integers(first, max(first, len(clip) - window) + 1))
    length = min(window, len(clip) - start)
    if random.random() < settings.truncate_share:
        length = int(random.integers(1, length + 1))
    of_emotion = random.random()
    rows["drop_identity"][row] = random.random() < settings.drop_identity
    noised = settings.previous_noise_t_max > 0
    rows["previous_time"][row] = random.integers(settings.previous_noise_t_max) if noised else -1
    rows["drop_audio"][row], without_emotion = dropped_conditions(settings, random.random(), of_emotion)
    rows["emotion"][row, 0, -1 if without_emotion else clip.emotion] = 1  # index -1 is the null class, last
    rows["time"][row] = int(noise_level * settings.diffusion_steps)
    rows["has_previous"][row] = has_previous
    jitter = random.standard_normal(clip.x_c.size, np.float32)  # few people are in most training sets: a new face
    rows["identity"][row] = clip.x_c.reshape(-1) + np.float32(settings.identity_noise) * jitter  # must not be a far one
    rows["mask"][row, :previous + length] = True
    rows["motion"][row, :length] = clip.motion[start:start + length]
    rows["speech"][row, previous:previous + length] = clip.speech[start:start + length]
    if has_previous:
        rows["previous"][row] = clip.motion[start - previous:start]
        rows["speech"][row, :previous] = clip.speech[start - previous:start]
    if random.random() < settings.free_pose:
        pose = _pose_of_another_moment(clip, (previous if has_previous else 0) + length, random)
        rows["motion"][row, :length, -RHO_DIM:] = pose[-length:]
        if has_previous:
            rows["previous"][row, :, -RHO_DIM:] = pose[:previous]


def _pose_of_another_moment(clip: TrainingClip, frames: int, random: np.random.Generator) -> np.ndarray:
    """Head pose [frames, 7] from anywhere in the clip, forwards or backwards.

    A head does much that its words do not decide, but a sentence that was heard with one performance alone looks as if
    they did: a model learns it by heart, and every seed gives the same film.
    """
    start = int(random.integers(0, len(clip) - frames + 1))
    pose = clip.motion[start:start + frames, -RHO_DIM:]
    return pose[::-1] if random.random() < 0.5 else pose


def dropped_conditions(settings: BatchSettings, of_audio: float, of_emotion: float) -> tuple[bool, bool]:
    """Whether a sample's audio and its emotion are dropped, by one draw from [0, 1) for each.

    Eq. 8 asks for three branches: nothing, audio, audio and emotion. `nested` trains these alone, in the shares
    drop_audio, drop_emotion and the rest: without audio there is no emotion. `independent` trains the fourth too.
    """
    if settings.drop == "nested":
        return of_emotion < settings.drop_audio, of_emotion < settings.drop_audio + settings.drop_emotion
    return of_audio < settings.drop_audio, of_emotion < settings.drop_emotion
