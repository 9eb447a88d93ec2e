"""Training batches as a pure function of (seed, step): a sample never depends on how many workers share the batch.

Everything random about a sample is drawn from a generator of its own, seeded by (seed, step, index); its noise from
PyTorch's, seeded by the first: it is three times as fast as NumPy's, which took half of a batch's time. Which clip a
sample takes is in training/engine/context.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.motion.motion import RHO_DIM
from training.engine.context import clip_order, share_of
from training.engine.memory import ReusedMemory
from training.motion.clips import TrainingClip
from training.motion.seeds import generators

_speech_memory = ReusedMemory()


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

    def pin_memory(self) -> Batch:
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
    order = clip_order(seed, step, settings.batch, len(clips)).tolist()
    offset = np.random.default_rng([seed, step]).random()
    share = share_of(settings.batch, rank, world_size)
    levels = [(i / settings.batch + offset) % 1.0 for i in share]
    return draw_samples([clips[order[i]] for i in share], settings, generators(seed, step, share), levels)


def draw_samples(clips: Sequence[TrainingClip], settings: BatchSettings, randoms: Iterable[np.random.Generator],
                 noise_levels: Sequence[float]) -> Batch:
    """One sample a clip, each from its own generator, which is used before the next is asked for;
    `noise_levels` in [0, 1) pick the diffusion times.

    What is random is drawn sample by sample, rows of motion and speech are copied once, and all else is made for the
    whole batch.
    """
    count, previous, frames = len(clips), settings.previous, settings.previous + settings.window
    motion = np.empty((count, frames, clips[0].motion.shape[1]), np.float32)
    speech = _speech_memory.empty((count, frames, clips[0].speech.shape[1]), clips[0].speech.dtype)
    jitter = np.empty((count, clips[0].x_c.size), np.float32)
    drawn = []
    for row, (clip, random) in enumerate(zip(clips, randoms, strict=True)):
        one = _draw(clip, settings, random, jitter[row])
        _copy_window(clip, one, previous, motion[row], speech[row])
        if random.random() < settings.free_pose:
            used = slice(0 if one.has_previous else previous, previous + one.length)
            motion[row, used, -RHO_DIM:] = _pose_of_another_moment(clip, used.stop - used.start, random)
        drawn.append(one)
    identity = np.stack([clip.x_c.reshape(-1) for clip in clips]) + np.float32(settings.identity_noise) * jitter
    emotion = np.zeros((count, 1, settings.num_emotions + 1), np.float32)
    emotion[np.arange(count), 0, [one.emotion for one in drawn]] = 1
    before, after = torch.from_numpy(motion).split([previous, settings.window], dim=1)
    noise = draw_noise([one.noise for one in drawn], motion.shape[1:])
    previous_noise, noise = noise.split([previous, settings.window], dim=1)
    until = previous + np.array([one.length for one in drawn])
    return Batch(
        [clip.clip_id for clip in clips], motion=after, noise=noise, previous=before, previous_noise=previous_noise,
        time=torch.tensor([int(level * settings.diffusion_steps) for level in noise_levels]),
        speech=torch.from_numpy(speech), identity=torch.from_numpy(identity), emotion=torch.from_numpy(emotion),
        previous_time=torch.tensor([one.previous_time for one in drawn]),
        has_previous=torch.tensor([one.has_previous for one in drawn]),
        mask=torch.from_numpy(np.arange(frames) < until[:, None]),
        drop_audio=torch.tensor([one.drop_audio for one in drawn]),
        drop_identity=torch.tensor([one.drop_identity for one in drawn]))


def draw_noise(seeds: Sequence[int], shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers [len(seeds), *shape], each row a function of its 32-bit seed alone."""
    noise, generator = torch.empty(len(seeds), *shape), torch.Generator()
    for row, seed in zip(noise, seeds, strict=True):
        row.normal_(generator=generator.manual_seed(seed))
    return noise


class _Drawn(NamedTuple):
    """What chance made of one sample."""

    noise: int  # the seed of its noise
    has_previous: bool
    start: int  # of its window in the clip
    length: int
    drop_audio: bool
    drop_identity: bool
    previous_time: int
    emotion: int  # -1: the null class, the last


def _draw(clip: TrainingClip, settings: BatchSettings, random: np.random.Generator, jitter: np.ndarray) -> _Drawn:
    """The order of the draws is part of what a seed means. `jitter` [3K] is written: few people are in most training
    sets, and a new face must not be a far one."""
    noise, frames, chance = int(random.integers(2**32)), len(clip.motion), random.random
    has_previous = frames > settings.previous and chance() >= settings.start_share
    first = settings.previous if has_previous else 0
    start = int(random.integers(first, max(first, frames - settings.window) + 1))
    length = min(settings.window, frames - start)
    if chance() < settings.truncate_share:
        length = int(random.integers(1, length + 1))
    of_emotion = chance()
    drop_identity = chance() < settings.drop_identity
    noised = settings.previous_noise_t_max > 0
    previous_time = int(random.integers(settings.previous_noise_t_max)) if noised else -1
    drop_audio, without_emotion = dropped_conditions(settings, chance(), of_emotion)
    random.standard_normal(dtype=np.float32, out=jitter)
    return _Drawn(noise, has_previous, start, length, drop_audio, drop_identity, previous_time,
                  -1 if without_emotion else clip.emotion)


def _copy_window(clip: TrainingClip, one: _Drawn, previous: int, motion: np.ndarray, speech: np.ndarray) -> None:
    """Write motion [P + W, D] and speech [P + W, A] of a sample: zeros before its start, where it has nothing before,
    and behind its end."""
    led = previous if one.has_previous else 0
    used, rows = slice(previous - led, previous + one.length), slice(one.start - led, one.start + one.length)
    motion[used], speech[used] = clip.motion[rows], clip.speech[rows]
    if led < previous:
        motion[:previous], speech[:previous] = 0, 0
    if used.stop < len(motion):
        motion[used.stop:], speech[used.stop:] = 0, 0


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
