"""The learning rate of every step: linear warm-up, then a cosine down to a share of the highest rate."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class OptimiserSettings:
    """The keys of `train_audio` and `train_emotion` that the loop goes by; each has its comment in params.yaml."""

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


def learning_rate(settings: OptimiserSettings, step: int) -> float:
    """The rate of step `step`, counted from 0."""
    if step < settings.warmup_steps:
        return settings.lr * (step + 1) / settings.warmup_steps
    progress = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return settings.lr * (settings.final_lr_share + (1 - settings.final_lr_share) * cosine)
