"""Pairs of frames of one clip for motion decoupling, as a pure function of (seed, step).

Sample n = step * batch + index of the whole run takes the next clip of its epoch's permutation (as in
training/engine/context.py); its two frames come from a generator seeded by (seed, step, index).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.media.crops import read_crop
from training.engine.context import clip_order, share_of


@dataclass(frozen=True)
class PairClip:
    """One of our own crops."""

    clip_id: str
    path: Path
    frames: int


@dataclass(frozen=True)
class PairBatch:
    """Frames i and j [B, 3, H, W] uint8 RGB."""

    clip_ids: list[str]
    frames: Tensor  # [B, 2] their numbers in the clip
    first: Tensor
    second: Tensor

    def to(self, device: torch.device) -> PairBatch:
        return replace(self, first=self.first.to(device, non_blocking=True),
                       second=self.second.to(device, non_blocking=True))

    def pin_memory(self) -> PairBatch:
        """In page-locked memory, from which a GPU copies without stopping."""
        return replace(self, first=self.first.pin_memory(), second=self.second.pin_memory())

    def pictures(self) -> tuple[Tensor, Tensor]:
        """Both in [0, 1], float32."""
        return self.first.float() / 255, self.second.float() / 255


def draw_pair(frames: int, min_gap: int, random: np.random.Generator) -> tuple[int, int]:
    """Two frames of a clip at least `min_gap` apart, or as far as a shorter clip allows; raises ValueError for one."""
    if frames < 2:
        raise ValueError(f"a pair needs two frames, the clip has {frames}")
    gap = min(min_gap, frames - 1)
    first = int(random.integers(frames - gap))
    pair = (first, int(random.integers(first + gap, frames)))
    return pair if random.random() < 0.5 else pair[::-1]


def read_pairs(clips: list[PairClip], pairs: list[tuple[int, int]]) -> PairBatch:
    """Decode the two frames of every clip."""
    frames = np.stack([read_crop(clip.path, pair) for clip, pair in zip(clips, pairs, strict=True)])
    pictures = torch.from_numpy(frames).permute(1, 0, 4, 2, 3).contiguous()  # [2, B, 3, H, W]
    return PairBatch([clip.clip_id for clip in clips], torch.tensor(pairs), pictures[0], pictures[1])


def pair_batch(clips: list[PairClip], batch: int, min_gap: int, seed: int, step: int, rank: int = 0,
               world_size: int = 1) -> PairBatch:
    """The share of `rank` in the batch of `step`."""
    order, indices = clip_order(seed, step, batch, len(clips)), share_of(batch, rank, world_size)
    chosen = [clips[order[index]] for index in indices]
    pairs = [draw_pair(clip.frames, min_gap, np.random.default_rng([seed, step, index]))
             for clip, index in zip(chosen, indices, strict=True)]
    return read_pairs(chosen, pairs)


def fixed_pairs(clips: list[PairClip], count: int, min_gap: int, seed: int) -> list[tuple[PairClip, tuple[int, int]]]:
    """The same pairs at every call, for measuring; spread over the clips."""
    return [(clip := clips[index % len(clips)],
             draw_pair(clip.frames, min_gap, np.random.default_rng([seed, 2**32 - 1, index])))
            for index in range(count)]
