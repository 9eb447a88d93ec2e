"""What learns: the model, its averaged weights and its optimiser; one step of them on a share of a batch, and the whole
training over motion windows, of both stages.

All of torch's generators are seeded anew every step from (seed, step, worker).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from models.transformer.motion_transformer import MotionTransformer
from training.engine.context import Context
from training.engine.loop import Hooks, LoopSettings, State, run_loop
from training.engine.optimiser import AdamW, MovingAverage, learning_rate
from training.engine.sharding import whole, write
from training.engine.verdict import Row
from training.motion.batches import Batch, make_batch
from training.motion.job import Job
from training.motion.losses import by_noise_level, loss_parts
from training.motion.validation import validate, validation_batch


@dataclass(frozen=True)
class Measured:
    """What a step measured on this worker, of n samples."""

    clip_ids: list[str]
    times: Tensor  # [n] of diffusion
    losses: Tensor  # [n]
    means: Tensor  # [3] loss, expression, pose; their mean over workers is that over the global batch
    grad_norm: Tensor  # of all workers' mean gradient, before clipping


class Learner:
    """The motion transformer as a `Trainee` of the loop."""

    def __init__(self, job: Job, context: Context):
        self.job = job = replace(job, objective=job.objective.to(context.device))
        self.context, self.settings, self.seed = context, job.optimiser, job.seed
        self.clips = job.unpack() if job.unpack else job.clips
        self.batch, self.previous, self.objective = job.batches.batch, job.batches.previous, job.objective
        self.held_out = validation_batch(job).to(context.device) if job.validation_clips else None
        self.model = job.model.to(context.device)
        self.wrapped = context.wrap(self.model)
        trained = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        self.parameters = list(trained.values())
        self.ema = MovingAverage(trained, self.settings.ema_decay)
        self.optimiser = AdamW(self.parameters, self.settings.weight_decay)
        self.network = torch.compile(self.wrapped) if self.settings.compile else self.wrapped

    def make_batch(self, step: int) -> Batch:
        return make_batch(self.clips, self.job.batches, self.seed, step, self.context.rank, self.context.world_size)

    def gradients(self, batch: Batch, step: int) -> Measured:
        """Gradients of the global batch's mean loss, clipped; from this worker's share, in `accumulate` parts."""
        torch.manual_seed(int(np.random.SeedSequence([self.seed, step, self.context.rank]).generate_state(1)[0]))
        set_mode(self.model)
        count = min(self.settings.accumulate, self.batch // self.context.world_size)  # as many on every worker
        rows = [slice(index * len(batch) // count, (index + 1) * len(batch) // count) for index in range(count)]
        made = []
        with self.context.without_sync(self.wrapped):
            made += [self._backward(batch.part(part)) for part in rows[:-1]]
        made.append(self._backward(batch.part(rows[-1]) if count > 1 else batch))
        self.context.sync_gradients(self.parameters)
        norm = whole(clip_grad_norm_(self.parameters, self.settings.grad_clip))
        losses, expression, pose = (torch.cat(values) for values in zip(*made, strict=True))
        means = torch.stack([values.mean() * self._weight(len(batch)) for values in (losses, expression, pose)])
        return Measured(batch.clip_ids, batch.time, losses, means, norm)

    def update(self, step: int) -> float:
        """Take the step, and its weights into the average."""
        lr = learning_rate(self.settings, step)
        self.optimiser.step(lr)
        self.ema.update(step)
        return lr

    def row(self, made: Measured) -> Row:
        loss, expression, pose = self.context.mean(made.means).tolist()
        levels = by_noise_level(made.losses, made.times, len(self.objective.alpha_bar), self.context.mean)
        return {"loss": loss, "loss_expression": expression, "loss_pose": pose, **levels}

    def validate(self) -> Row:
        if self.held_out is None:
            return {}
        with self.use_average() as model:
            return validate(model, self.job, self.held_out)

    def state(self) -> dict[str, Any]:
        """Copies on the CPU, which can be written while the training goes on; `model` has the averaged weights.

        Where weights are shared out, all workers must ask for it together.
        """
        weights, average = _copy_all(self.model.state_dict()), _copy_all(self.ema.average)
        optimiser = {name: [_copy(tensor) for tensor in tensors]
                     for name, tensors in self.optimiser.state_dict().items()}
        return {"model": weights | average, "ema": average, "weights": weights, "optimiser": optimiser}

    @torch.no_grad()
    def load(self, state: dict[str, Any]) -> None:
        for name, tensor in self.model.state_dict().items():
            write(tensor, state["weights"][name])
        self.ema.load(state["ema"])
        self.optimiser.load_state_dict(state["optimiser"])

    @contextmanager
    def use_average(self) -> Iterator[MotionTransformer]:
        """The model with the averaged weights; where they are shared out a whole copy of it, kept for the block."""
        if not self.context.sharded:
            with self.ema.use():
                yield self.model
            return
        model = MotionTransformer(self.model.shape).to(self.context.device)
        model.load_state_dict(self.state()["model"])
        yield model

    def _backward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Add the gradient of these samples' share in the global mean; their loss, expression and pose parts [n]."""
        losses = self._losses(batch)
        (losses[0].mean() * self._weight(len(batch))).backward()
        loss, expression, pose = losses
        return loss.detach(), expression.detach(), pose.detach()

    def _weight(self, samples: int) -> float:
        """So that the mean over workers of weighted means is the mean over the global batch; 1 for equal shares."""
        return samples * self.context.world_size / self.batch

    def _losses(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        half = self.settings.precision == "bf16"
        with torch.autocast(self.context.device.type, torch.bfloat16, enabled=half):
            prediction, target = self.objective.predict(self.network, batch)
        expression, pose = loss_parts(prediction, target, batch.mask[:, self.previous:], self.model.motion_mask,
                                      self.objective.pose_velocity_weight)
        return self.objective.weigh(expression, pose, self.model.motion_mask), expression, pose


def set_mode(model: MotionTransformer) -> None:
    """Training mode for modules that are trained; frozen ones stay in evaluation mode (dropout, batch norm)."""
    for module in model.children():
        module.train(any(p.requires_grad for p in module.parameters()))


def _copy_all(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: _copy(tensor) for name, tensor in tensors.items()}


def _copy(tensor: Tensor) -> Tensor:
    return whole(tensor.detach()).to("cpu", copy=True)


def train(job: Job, context: Context) -> State:
    """Train to the end, from the newest checkpoint where there is one; return the last state.

    The state holds `model` (averaged weights), `history` (rows of the curve), `finished` and what resuming needs.
    Raises TrainingStopped before the step that would spoil the weights.
    """
    optimiser = job.optimiser
    settings = LoopSettings(optimiser.steps, job.batches.batch, optimiser.log_every, optimiser.checkpoint_every,
                            optimiser.validate_every, False, optimiser.prefetch, job.loaders,
                            job.state_every, optimiser.min_improvement, optimiser.stop_after,
                            optimiser.best_by)
    return run_loop(Learner(job, context), context, settings, job.checkpoints, Hooks(job.on_step, job.on_state))
