"""Batches of consecutive steps, built ahead in a thread while the step before computes; the waiting is measured."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import torch

from pipeline.compute.prefetch import prefetch
from training.motion.batches import Batch, BatchSettings, make_batch
from training.motion.clips import TrainingClip


class Feed:
    """Iterate to get the batch of step `first`, `first + 1`, ...; `ahead` 0 builds each when it is asked for.

    `waited_s` is the time that the training spent in here: where the data cannot keep up, it grows.
    """

    def __init__(self, clips: Sequence[TrainingClip], settings: BatchSettings, seed: int, steps: range, rank: int,
                 world_size: int, device: torch.device, ahead: int):
        made = (make_batch(clips, settings, seed, step, rank, world_size) for step in steps)
        if device.type == "cuda":
            made = (batch.pinned() for batch in made)
        self._batches: Iterator[Batch] = prefetch(made, ahead) if ahead else made
        self._device, self.waited_s = device, 0.0

    def next(self) -> Batch:
        """The next step's share of this worker, on its device."""
        began = time.perf_counter()
        batch = next(self._batches)
        self.waited_s += time.perf_counter() - began
        return batch.to(self._device)

    def close(self) -> None:
        """End the thread."""
        self._batches.close()
