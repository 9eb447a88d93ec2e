"""One training loop for both stages, in a plain process or as a Ray Train worker.

A step is a pure function of the state and the step number: batches come from (seed, step), the learning rate from the
step, dropout from a generator reseeded every step. So a run that was killed and resumed ends with the same weights,
bit for bit on a CPU, as one that never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from models.motion_transformer import MotionTransformer
from training.adam import AdamW
from training.batches import Batch, BatchSettings, make_batch
from training.checkpoint import CheckpointStore
from training.clips import TrainingClip
from training.ema import MovingAverage
from training.losses import Objective, loss_parts
from training.validation import validate


class TrainingStopped(RuntimeError):
    """The loss or a gradient is not finite; the message names the step and the clips."""


class Context(Protocol):
    """Where the loop runs: one plain process, or one of several workers."""

    rank: int
    world_size: int
    device: torch.device

    def wrap(self, model: nn.Module) -> nn.Module: ...
    def sync_gradients(self, parameters: list[nn.Parameter]) -> None: ...
    def mean(self, values: torch.Tensor) -> torch.Tensor: ...
    def report(self, metrics: dict[str, float]) -> None: ...


@dataclass(frozen=True)
class OptimiserSettings:
    """AdamW with linear warm-up and cosine decay to `final_lr_share` of `lr`."""

    steps: int
    lr: float
    warmup_steps: int
    final_lr_share: float
    weight_decay: float
    grad_clip: float
    ema_decay: float
    precision: str
    checkpoint_every: int
    validate_every: int
    log_every: int


@dataclass
class Job:
    """All that one run needs; the same on every worker. Parameters without requires_grad stay frozen."""

    model: MotionTransformer
    clips: list[TrainingClip]
    validation_clips: list[TrainingClip]
    batches: BatchSettings
    objective: Objective
    optimiser: OptimiserSettings
    seed: int
    checkpoints: CheckpointStore
    on_step: Callable[[int], None] = field(default=lambda step: None)  # for tests that interrupt a run


def learning_rate(settings: OptimiserSettings, step: int) -> float:
    """The rate of step `step`, counted from 0."""
    if step < settings.warmup_steps:
        return settings.lr * (step + 1) / settings.warmup_steps
    progress = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return settings.lr * (settings.final_lr_share + (1 - settings.final_lr_share) * cosine)


def train(job: Job, context: Context) -> dict[str, Any]:
    """Train to `optimiser.steps`, from the newest checkpoint where there is one; return the last state.

    The state holds `model` (averaged weights), `history` (rows of the curve) and what resuming needs. Raises
    TrainingStopped before the step that would spoil the weights.
    """
    return _Run(job, context).to_end()


class _Run:
    def __init__(self, job: Job, context: Context):
        self.job, self.context = job, context
        self.model = job.model.to(context.device)
        trained = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        self.ema = MovingAverage(trained, job.optimiser.ema_decay)
        self.parameters = list(trained.values())
        self.optimiser = AdamW(self.parameters, job.optimiser.weight_decay)
        self.wrapped = context.wrap(self.model)
        job.objective = replace(job.objective, alpha_bar=job.objective.alpha_bar.to(context.device))
        self.step, self.history, self.saved = 0, [], 0
        self._restore(job.checkpoints.load_latest())

    def to_end(self) -> dict[str, Any]:
        settings = self.job.optimiser
        started, first = time.perf_counter(), self.step
        while self.step < settings.steps:
            parts = self._train_step()
            self.step += 1
            if self.step % settings.log_every == 0 or self.step in (1, settings.steps):
                self._log(parts, (time.perf_counter() - started) / (self.step - first))
            if self.step % settings.checkpoint_every == 0 and self.step < settings.steps:
                self._save()
            self.job.on_step(self.step)
        self._save()
        return self._state()

    def _train_step(self) -> torch.Tensor:
        """One optimiser step; returns this worker's mean (loss, expression, pose)."""
        job, step = self.job, self.step
        batch = make_batch(job.clips, job.batches, job.seed, step, self.context.rank, self.context.world_size)
        batch = batch.to(self.context.device)
        torch.manual_seed(int(np.random.SeedSequence([job.seed, step, self.context.rank]).generate_state(1)[0]))
        set_mode(self.model)
        losses, parts = self._losses(batch)
        losses.mean().backward()
        self.context.sync_gradients(self.parameters)
        norm = clip_grad_norm_(self.parameters, job.optimiser.grad_clip)
        if not torch.isfinite(norm):
            raise TrainingStopped(_blame(step, batch, losses.detach()))
        self.optimiser.step(learning_rate(job.optimiser, step))
        self.ema.update(step)
        return torch.stack([losses.detach().mean(), *(part.detach().mean() for part in parts)])

    def _losses(self, batch: Batch) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        objective = self.job.objective
        half = self.job.optimiser.precision == "bf16"
        with torch.autocast(self.context.device.type, torch.bfloat16, enabled=half):
            prediction, target = objective.predict(self.wrapped, batch)
        window_mask = batch.mask[:, self.job.batches.previous:]
        expression, pose = loss_parts(prediction, target, window_mask, self.model.motion_mask)
        return objective.expression_weight * expression + objective.pose_weight * pose, (expression, pose)

    def _log(self, parts: torch.Tensor, seconds_per_step: float) -> None:
        loss, expression, pose = self.context.mean(parts).tolist()
        row = {"step": self.step, "loss": loss, "loss_expression": expression, "loss_pose": pose,
               "lr": learning_rate(self.job.optimiser, self.step - 1)}
        settings = self.job.optimiser
        if self.job.validation_clips and (self.step % settings.validate_every == 0 or self.step == settings.steps):
            with self.ema.applied():
                row |= validate(self.model, self.job, self.context.device)
        self.history.append(row)
        self.context.report({**row, "seconds_per_step": seconds_per_step,
                             "samples_per_s": self.job.batches.batch / seconds_per_step})

    def _state(self) -> dict[str, Any]:
        averaged = {name: tensor.detach().cpu().clone() for name, tensor in self.model.state_dict().items()}
        averaged |= {name: tensor.cpu().clone() for name, tensor in self.ema.average.items()}
        return {"step": self.step, "history": self.history, "model": averaged, "ema": self.ema.average,
                "weights": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}

    def _save(self) -> None:
        if self.context.rank == 0 and self.step != self.saved:
            self.job.checkpoints.save(self.step, self._state())
            self.saved = self.step

    def _restore(self, state: dict[str, Any] | None) -> None:
        if state is None:
            return
        self.model.load_state_dict(state["weights"])
        self.ema.load(state["ema"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.history, self.saved = state["step"], state["history"], state["step"]


def set_mode(model: MotionTransformer) -> None:
    """Training mode for modules that are trained; frozen ones stay in evaluation mode (dropout, batch norm)."""
    for module in model.children():
        module.train(any(p.requires_grad for p in module.parameters()))


def _blame(step: int, batch: Batch, losses: torch.Tensor) -> str:
    bad = [clip for clip, finite in zip(batch.clip_ids, losses.isfinite().tolist(), strict=True) if not finite]
    named = ", ".join(dict.fromkeys(bad or batch.clip_ids))
    which = f"clips {named} have a loss" if bad else f"clips {named} give a gradient"
    return (f"training stopped before step {step + 1}: {which} that is not finite; the weights are untouched. "
            "Check these clips' features, or lower lr")
