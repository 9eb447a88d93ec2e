"""Batches of consecutive steps, built ahead in a thread while the step before computes; the waiting is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Generic, Protocol, TypeVar

import torch

from pipeline.compute.prefetch import prefetch


class OnDevice(Protocol):
    """A batch: tensors that go to a device together."""

    def to(self: B, device: torch.device) -> B: ...
    def pinned(self: B) -> B: ...


B = TypeVar("B", bound=OnDevice)


class Feed(Generic[B]):
    """`next` gives `make(step)` of step `first`, `first + 1`, ...; `ahead` 0 builds each when it is asked for.

    `waited_s` is the time that the training spent in here: where the data cannot keep up, it grows.
    """

    def __init__(self, make: Callable[[int], B], steps: range, device: torch.device, ahead: int):
        self._make, self._device, self.waited_s = make, device, 0.0
        made = self._made(steps)
        self._batches = prefetch(made, ahead) if ahead else made

    def next(self) -> B:
        """The next step's share of this worker, on its device."""
        began = time.perf_counter()
        batch = next(self._batches)
        self.waited_s += time.perf_counter() - began
        return batch.to(self._device)

    def close(self) -> None:
        """End the thread."""
        self._batches.close()

    def _made(self, steps: range) -> Generator[B, None, None]:
        """Page-locked where a GPU is to copy them: it then does so without stopping."""
        for step in steps:
            batch = self._make(step)
            yield batch.pinned() if self._device.type == "cuda" else batch
