"""Exponential moving average of the trained weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from training.sharding import local, write


class MovingAverage:
    """average = d average + (1 - d) weights with d = min(decay, (1 + step) / (10 + step)), so early steps count."""

    def __init__(self, parameters: dict[str, nn.Parameter], decay: float):
        self.parameters, self.decay = parameters, decay
        self.average = {name: p.detach().clone() for name, p in parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after optimiser step `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_([local(value) for value in self.average.values()],
                             [local(p.detach()) for p in self.parameters.values()], 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model computes with the averaged weights inside the block."""
        kept = {name: p.detach().clone() for name, p in self.parameters.items()}
        self._set(self.average)
        try:
            yield
        finally:
            self._set(kept)

    def load(self, average: dict[str, Tensor]) -> None:
        for name, value in average.items():
            write(self.average[name], value)

    @torch.no_grad()
    def _set(self, values: dict[str, Tensor]) -> None:
        for name, parameter in self.parameters.items():
            parameter.copy_(values[name])
