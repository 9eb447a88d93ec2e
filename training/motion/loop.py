"""One training loop for both stages, in a plain process or as a Ray Train worker.

A step is a pure function of the state and the step number: batches come from (seed, step), the learning rate from the
step, and all of torch's generators are seeded anew every step from (seed, step, worker). So a run that was killed and
resumed ends with the same weights, bit for bit on a CPU, as one that never stopped; no generator's state needs to be
kept, and bf16 needs no loss scaler.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from pipeline.compute.background import Background
from training.engine.checkpoint import CheckpointStore
from training.engine.context import Context
from training.engine.optimiser import learning_rate
from training.engine.stops import TrainingStopped, clear_stops, save_stop, stop_message, stop_record
from training.engine.verdict import is_best, validations_since_best
from training.motion.feed import Feed
from training.motion.job import Job
from training.motion.learner import Learner, Measured
from training.motion.losses import by_noise_level
from training.motion.validation import validate, validation_batch


def train(job: Job, context: Context) -> dict[str, Any]:
    """Train to the end, from the newest checkpoint where there is one; return the last state.

    The state holds `model` (averaged weights), `history` (rows of the curve), `finished` and what resuming needs.
    Raises TrainingStopped before the step that would spoil the weights.
    """
    return _Run(job, context).to_end()


class _Run:
    def __init__(self, job: Job, context: Context):
        self.job = job = replace(job, objective=job.objective.to(context.device))
        self.context, self.settings = context, job.optimiser
        self.learner = Learner(job, context)
        self.held_out = validation_batch(job).to(context.device) if job.validation_clips else None
        self.step, self.history, self.ended = 0, [], False
        self.writer = Background("checkpoints")
        if context.rank == 0:
            clear_stops(job.checkpoints.storage, job.checkpoints.run)
        state = job.checkpoints.load_latest()
        if state is not None:
            self.learner.load(state)
            self.step, self.history, self.ended = state["step"], state["history"], state["finished"]
        self._check_agreement()

    def to_end(self) -> dict[str, Any]:
        job, context = self.job, self.context
        feed = Feed(job.clips, job.batches, job.seed, range(self.step, self.settings.steps), context.rank,
                    context.world_size, context.device, self.settings.prefetch)
        started, first = time.perf_counter(), self.step
        try:
            while not self.finished:
                made = self._train_step(feed)
                best = False
                if self.step % self.settings.log_every == 0 or self.step in (1, self.settings.steps):
                    best = self._log(made, time.perf_counter() - started, self.step - first, feed.waited_s)
                self._keep(best)
                job.on_step(self.step)
        finally:
            feed.close()
            self.writer.close()
        return self._state()

    @property
    def finished(self) -> bool:
        return self.ended or self.step >= self.settings.steps

    def _train_step(self, feed: Feed) -> Measured:
        batch = feed.next()
        made = self.learner.gradients(batch, self.step)
        if not torch.isfinite(made.grad_norm):
            self._stop(stop_record(self.step, batch, made.losses))
        self.learner.update(self.step)
        self.step += 1
        return made

    def _log(self, made: Measured, elapsed_s: float, steps: int, waited_s: float) -> bool:
        """Add a row to the history and report it; True where its validation is the best so far."""
        settings = self.settings
        loss, expression, pose = self.context.mean(made.means).tolist()
        row = {"step": self.step, "loss": loss, "loss_expression": expression, "loss_pose": pose,
               "lr": learning_rate(settings, self.step - 1), "grad_norm": made.grad_norm.item()}
        row |= by_noise_level(made.losses, made.time, len(self.job.objective.alpha_bar), self.context.mean)
        if self.held_out is not None and (self.step % settings.validate_every == 0 or self.step == settings.steps):
            row |= self._validate()
        self.history.append(row)
        stale = validations_since_best(self.history, settings.min_improvement)
        if settings.stop_after and "validation_loss" in row:
            self.ended = stale >= settings.stop_after
        self.context.report({**row, "seconds_per_step": elapsed_s / steps, "data_wait_share": waited_s / elapsed_s,
                             "samples_per_s": self.job.batches.batch * steps / elapsed_s,
                             "validations_since_best": stale})
        return is_best(self.history)

    def _check_agreement(self) -> None:
        """All workers must go on from one checkpoint: else they would wait for each other for ever."""
        step = torch.tensor([self.step], dtype=torch.float64, device=self.context.device)
        if self.context.mean(step).item() != self.step:
            raise RuntimeError(f"worker {self.context.rank} found a checkpoint of step {self.step}, another one did "
                               "not: `checkpoints` must be a folder that every node sees, or on S3")

    def _validate(self) -> dict[str, float]:
        """The mean over workers, who all do the same: rounding must not part them in what they decide by it."""
        with self.learner.averaged() as model:
            mine = validate(model, self.job, self.held_out)
        values = torch.tensor(list(mine.values()), dtype=torch.float64, device=self.context.device)
        found = dict(zip(mine, self.context.mean(values).tolist(), strict=True))
        if not np.isfinite(found["validation_loss"]):
            self._stop({"step": self.step, "validation": True, "clip_ids": self.held_out.clip_ids, "bad_clip_ids": []})
        return found

    def _stop(self, record: dict[str, Any]) -> None:
        checkpoints = self.job.checkpoints
        save_stop(checkpoints.storage, checkpoints.run, self.context.rank, record)
        raise TrainingStopped(stop_message(checkpoints.storage, checkpoints.run))

    def _state(self) -> dict[str, Any]:
        return {"step": self.step, "history": list(self.history), "finished": self.finished, **self.learner.state()}

    def _keep(self, best: bool) -> None:
        """Hand a copy of the state to the writing thread where a checkpoint is due."""
        due = [every for every in (self.settings.checkpoint_every, self.job.state_every) if every]
        last = self.finished or any(self.step % every == 0 for every in due)
        if (last or best) and (self.context.rank == 0 or self.context.sharded):
            state = self._state()
            if self.context.rank == 0:
                self.writer.submit(_write, self.job.checkpoints, state, last, best, self.job.on_state)


def _write(store: CheckpointStore, state: dict[str, Any], last: bool, best: bool, then: Callable) -> None:
    if best:
        store.save_best({name: state[name] for name in ("step", "history", "model")})
    if last:
        store.save(state["step"], state)
        then(state)
