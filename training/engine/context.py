"""Where the loop runs: one plain process, or one of several workers of torch.distributed (`training/engine/run.py`),
and which samples it computes there: a pure function of (seed, step, index).

Sample n = step * batch + index of the whole run takes the next clip of its epoch's permutation, so every clip comes
once an epoch. Worker r of R computes the indices floor(r * batch / R) to floor((r + 1) * batch / R), so any number of
workers up to the batch's size sees the same batches in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from torch import nn

Report = Callable[[dict[str, float]], None]


class Context(Protocol):
    """What the loop asks of its surroundings."""

    rank: int
    world_size: int
    device: torch.device
    sharded: bool  # no worker holds all weights (training/engine/sharding.py)

    def wrap(self, model: nn.Module) -> nn.Module: ...
    def without_sync(self, model: nn.Module) -> AbstractContextManager: ...
    def sync_gradients(self, parameters: list[nn.Parameter]) -> None: ...
    def mean(self, values: torch.Tensor) -> torch.Tensor: ...
    def report(self, metrics: dict[str, float]) -> None: ...


class PlainContext:
    """One process, all of the batch; `report` gets every logged row."""

    rank = 0
    world_size = 1
    sharded = False

    def __init__(self, device: str = "cpu", report: Report = lambda metrics: None):
        self.device = torch.device(device)
        self.report = report

    def wrap(self, model: nn.Module) -> nn.Module:
        return model

    def without_sync(self, model: nn.Module) -> AbstractContextManager:
        return nullcontext()

    def sync_gradients(self, parameters: list[nn.Parameter]) -> None:
        pass

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        return values


class WorkerContext:
    """One of `world_size` workers whose process group is up; gradients are averaged over them."""

    sharded = False

    def __init__(self, rank: int, world_size: int, device: torch.device, report: Report = lambda metrics: None):
        self.rank, self.world_size, self.device, self.report = rank, world_size, device, report

    def wrap(self, model: nn.Module) -> nn.Module:
        if self.world_size == 1 or self.device.type == "cpu":
            return model
        return nn.parallel.DistributedDataParallel(model, broadcast_buffers=False, gradient_as_bucket_view=True)

    def without_sync(self, model: nn.Module) -> AbstractContextManager:
        """Backward passes inside leave gradients of this worker alone (all but the last part of a batch)."""
        return model.no_sync() if isinstance(model, nn.parallel.DistributedDataParallel) else nullcontext()

    def sync_gradients(self, parameters: list[nn.Parameter]) -> None:
        """Average gradients over CPU workers in one message.

        On GPUs DistributedDataParallel does it while the backward pass runs; cores have nothing to overlap, and it
        would load PyTorch's compiler: 4 s of CPU time in every worker.
        """
        if self.world_size == 1 or self.device.type != "cpu":
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        torch.distributed.all_reduce(flat)
        flat /= self.world_size
        for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        if self.world_size > 1:
            torch.distributed.all_reduce(values)
        return values / self.world_size


def clip_order(seed: int, step: int, batch: int, clips: int) -> np.ndarray:
    """Clip indices [batch] of one step; consecutive steps walk through one permutation an epoch."""
    samples = np.arange(step * batch, (step + 1) * batch)
    return np.array([_permutation(seed, int(n // clips), clips)[n % clips] for n in samples])


def share_of(batch: int, rank: int, world_size: int) -> range:
    """The indices in a global batch that worker `rank` of `world_size` computes."""
    return range(rank * batch // world_size, (rank + 1) * batch // world_size)


@lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, clips: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch, clips]).permutation(clips)
