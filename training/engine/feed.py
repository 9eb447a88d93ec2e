"""Batches of consecutive steps, built ahead in threads while the step before computes; the waiting is measured."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Generic, Protocol, TypeVar

import torch

from pipeline.compute.prefetch import prefetch


class OnDevice(Protocol):
    """A batch: tensors that go to a device together."""

    def to(self: B, device: torch.device) -> B: ...
    def pin_memory(self: B) -> B: ...


B = TypeVar("B", bound=OnDevice)


class Feed(Generic[B]):
    """`next` gives `make(step)` of step `first`, `first + 1`, ...; `ahead` 0 builds each when it is asked for.

    `threads` build different steps at once, and hand them over in order: a batch is a function of its step alone.
    `waited_s` is the time that the training spent in here: where the data cannot keep up, it grows.
    """

    def __init__(self, make: Callable[[int], B], steps: range, device: torch.device, ahead: int, threads: int = 1):
        self._make, self._device, self.waited_s = make, device, 0.0
        if threads > 1:
            self._batches = self._at_once(steps, ahead, threads)
        else:
            made = (self._batch(step) for step in steps)
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

    def _batch(self, step: int) -> B:
        """Page-locked where a GPU is to copy it: it then does so without stopping."""
        batch = self._make(step)
        return batch.pin_memory() if self._device.type == "cuda" else batch

    def _at_once(self, steps: range, ahead: int, threads: int) -> Generator[B, None, None]:
        with ThreadPoolExecutor(threads, thread_name_prefix="feed") as pool:
            left, due = iter(steps), deque[Future[B]]()
            due.extend(pool.submit(self._batch, step) for step in islice(left, max(ahead, threads)))
            try:
                while due:
                    yield due.popleft().result()
                    due.extend(pool.submit(self._batch, step) for step in islice(left, 1))
            finally:
                for future in due:
                    future.cancel()
