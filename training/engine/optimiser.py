"""AdamW (Loshchilov & Hutter 2019) on PyTorch's fused kernel.

Equal to `torch.optim.AdamW(fused=True)`, whose first use loads PyTorch's compiler: 4 s of CPU time in every worker.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from training.engine.sharding import local, write
from training.engine.verdict import BestBy

BETAS, EPS = (0.9, 0.999), 1e-8


class AdamW:
    """`step(lr)` updates all parameters from their gradients; `state_dict` holds tensors in the parameters' order.

    Of parameters that are shared out over workers each worker updates its part.
    """

    def __init__(self, parameters: list[nn.Parameter], weight_decay: float):
        self.parameters, self.weight_decay = parameters, weight_decay
        self.first = [torch.zeros_like(p) for p in parameters]
        self.second = [torch.zeros_like(p) for p in parameters]
        self.steps = [torch.zeros((), device=p.device) for p in parameters]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """One update with every gradient, then drop the gradients."""
        torch._foreach_add_(self.steps, 1)
        weights, gradients, first, second = ([local(tensor) for tensor in tensors] for tensors in (
            self.parameters, [p.grad for p in self.parameters], self.first, self.second))
        torch._fused_adamw_(weights, gradients, first, second, [], self.steps, lr=lr, beta1=BETAS[0], beta2=BETAS[1],
                            weight_decay=self.weight_decay, eps=EPS, amsgrad=False, maximize=False)
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, list[Tensor]]:
        return {"first": self.first, "second": self.second, "steps": self.steps}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, list[Tensor]]) -> None:
        for name in ("first", "second", "steps"):
            for mine, stored in zip(getattr(self, name), state[name], strict=True):
                write(mine, stored)


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
    def use(self) -> Iterator[None]:
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


@dataclass(frozen=True)
class OptimiserSettings:
    """The keys of `train_audio` and `train_emotion`, and of their `trainer` that a run goes by."""

    steps: int
    lr: float
    warmup_steps: int
    final_lr_share: float
    weight_decay: float
    grad_clip: float
    ema_decay: float
    precision: str
    accumulate: int
    compile: bool
    prefetch: int
    checkpoint_every: int
    validate_every: int
    log_every: int
    min_improvement: float
    stop_after: int
    best_by: BestBy = "loss"


class Rate(Protocol):
    """What the rate goes by: up in `warmup_steps`, then down along a cosine to `final_lr_share` of `lr`."""

    @property
    def steps(self) -> int: ...
    @property
    def lr(self) -> float: ...
    @property
    def warmup_steps(self) -> int: ...
    @property
    def final_lr_share(self) -> float: ...


def learning_rate(settings: Rate, step: int) -> float:
    """The rate of step `step`, counted from 0."""
    if step < settings.warmup_steps:
        return settings.lr * (step + 1) / settings.warmup_steps
    progress = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return settings.lr * (settings.final_lr_share + (1 - settings.final_lr_share) * cosine)
