"""The one training loop, in a plain process or as a Ray Train worker; what it trains is a `Trainee`.

A step is a pure function of the state and the step number: batches come from (seed, step), the learning rate from the
step, and what else is random is seeded anew every step from (seed, step, worker). So a run that was killed and resumed
ends with the same weights, bit for bit on a CPU, as one that never stopped; no generator's state needs to be kept, and
bf16 needs no loss scaler.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from pipeline.compute.background import Background
from training.engine.checkpoint import CheckpointStore
from training.engine.context import Context
from training.engine.feed import B, Feed
from training.engine.stops import Stop, TrainingStopped, batch_stop, clear_stops, load_stops, save_stop, stop_message
from training.engine.verdict import BestBy, Row, is_best, validations_since_best

State = dict[str, Any]  # tensors and plain values, as a checkpoint holds them


class Measured(Protocol):
    """What a step measured on this worker, of its n samples."""

    @property
    def clip_ids(self) -> list[str]: ...
    @property
    def times(self) -> Tensor: ...  # [n, ...] what of the clip, for the record of a stop
    @property
    def losses(self) -> Tensor: ...  # [n]
    @property
    def grad_norm(self) -> Tensor: ...  # of all workers' mean gradient, before clipping


M = TypeVar("M", bound=Measured)


class Trainee(Protocol[B, M]):
    """What is trained. All workers call each method together, but for `make_batch`, which a thread calls ahead."""

    def make_batch(self, step: int) -> B: ...  # this worker's share, on the CPU
    def gradients(self, batch: B, step: int) -> M: ...  # of the global batch's mean loss, clipped
    def update(self, step: int) -> float: ...  # take the step with them; its learning rate
    def row(self, made: M) -> Row: ...  # `loss` and its parts, means over the global batch
    def validate(self) -> Row: ...  # on what is held out; empty where nothing is
    def state(self) -> State: ...  # copies on the CPU, which can be written while the training goes on
    def load(self, state: State) -> None: ...


@dataclass(frozen=True)
class LoopSettings:
    """Lengths in steps. Checkpoints are due every `checkpoint_every`, and every `state_every` for `on_state` (0: not).

    `stop_after` validations in a row that do not better the best, as `best_by` says, by the share `min_improvement` end
    the training (0: never).
    """

    steps: int
    batch: int  # samples of all workers together
    log_every: int
    checkpoint_every: int
    validate_every: int
    validate_first: bool  # before the first step, too
    prefetch: int  # batches built ahead
    loaders: int = 1  # threads that build them
    state_every: int = 0
    min_improvement: float = 0.0
    stop_after: int = 0
    best_by: BestBy = "loss"


@dataclass(frozen=True)
class Hooks:
    """Called on the way: after every step, and with the state after a checkpoint was written."""

    on_step: Callable[[int], None] = lambda step: None
    on_state: Callable[[State], None] = lambda state: None


def run_loop(trainee: Trainee[B, M], context: Context, settings: LoopSettings, checkpoints: CheckpointStore,
             hooks: Hooks) -> State:
    """Train to the end, from the newest checkpoint where there is one; return the last state.

    The state is the trainee's with `step`, `history` (rows of the curve) and `finished`. Raises TrainingStopped before
    the step that would spoil the weights.
    """
    return _Run(trainee, context, settings, checkpoints, hooks).to_end()


class _Run(Generic[B, M]):
    def __init__(self, trainee: Trainee[B, M], context: Context, settings: LoopSettings, checkpoints: CheckpointStore,
                 hooks: Hooks):
        self.trainee, self.context, self.settings = trainee, context, settings
        self.checkpoints, self.hooks = checkpoints, hooks
        self.step, self.history, self.ended, self.lr = 0, list[Row](), False, 0.0
        self.writer = Background("checkpoints")
        if context.rank == 0:
            clear_stops(checkpoints.storage, checkpoints.run)
        state = checkpoints.load_latest()
        if state is not None:
            trainee.load(state)
            self.step, self.history, self.ended = state["step"], state["history"], state["finished"]
        self._check_agreement()

    def to_end(self) -> State:
        if self.settings.validate_first and not self.history:
            self.history.append({"step": 0, **self._validate()})
            self.context.report(self.history[0])
        feed = Feed(self.trainee.make_batch, range(self.step, self.settings.steps), self.context.device,
                    self.settings.prefetch, self.settings.loaders)
        started, first = time.perf_counter(), self.step
        try:
            while not self.finished:
                made = self._train_step(feed)
                best = False
                if self.step % self.settings.log_every == 0 or self.step in (1, self.settings.steps):
                    best = self._log(made, time.perf_counter() - started, self.step - first, feed.waited_s)
                self._keep(best)
                self.hooks.on_step(self.step)
        finally:
            feed.close()
            self.writer.close()
        return self._state()

    @property
    def finished(self) -> bool:
        return self.ended or self.step >= self.settings.steps

    def _train_step(self, feed: Feed[B]) -> M:
        made = self.trainee.gradients(feed.next(), self.step)
        if not torch.isfinite(made.grad_norm):
            self._stop(batch_stop(self.step, made.clip_ids, made.times.tolist(), made.losses.tolist()))
        self.lr = self.trainee.update(self.step)
        self.step += 1
        return made

    def _log(self, made: M, elapsed_s: float, steps: int, waited_s: float) -> bool:
        """Add a row to the history and report it; True where its validation is the best so far."""
        settings = self.settings
        row = {"step": self.step, **self.trainee.row(made), "lr": self.lr, "grad_norm": made.grad_norm.item()}
        if self.step % settings.validate_every == 0 or self.step == settings.steps:
            row |= self._validate()
        self.history.append(row)
        stale = validations_since_best(self.history, settings.min_improvement, settings.best_by)
        if settings.stop_after and "validation_loss" in row:
            self.ended = stale >= settings.stop_after
        self.context.report({**row, "seconds_per_step": elapsed_s / steps, "data_wait_share": waited_s / elapsed_s,
                             "samples_per_s": settings.batch * steps / elapsed_s, "validations_since_best": stale})
        return is_best(self.history, settings.best_by)

    def _check_agreement(self) -> None:
        """All workers must go on from one checkpoint: else they would wait for each other for ever."""
        step = torch.tensor([self.step], dtype=torch.float64, device=self.context.device)
        if self.context.mean(step).item() != self.step:
            raise RuntimeError(f"worker {self.context.rank} found a checkpoint of step {self.step}, another one did "
                               "not: `checkpoints` must be a folder that every node sees, or on S3")

    def _validate(self) -> Row:
        """The mean over workers, who all do the same: rounding must not part them in what they decide by it."""
        mine = self.trainee.validate()
        if not mine:
            return {}
        values = torch.tensor(list(mine.values()), dtype=torch.float64, device=self.context.device)
        found = dict(zip(mine, self.context.mean(values).tolist(), strict=True))
        if not np.isfinite(found.get("validation_loss", 0.0)):
            self._stop(Stop(self.step, validation=True))
        return found

    def _stop(self, stop: Stop) -> NoReturn:
        storage, run = self.checkpoints.storage, self.checkpoints.run
        save_stop(storage, run, self.context.rank, stop)
        raise TrainingStopped(stop_message(load_stops(storage, run), run))

    def _state(self) -> State:
        return {"step": self.step, "history": list(self.history), "finished": self.finished, **self.trainee.state()}

    def _keep(self, best: bool) -> None:
        """Hand a copy of the state to the writing thread where a checkpoint is due."""
        due = [every for every in (self.settings.checkpoint_every, self.settings.state_every) if every]
        last = self.finished or any(self.step % every == 0 for every in due)
        if (last or best) and (self.context.rank == 0 or self.context.sharded):
            state = self._state()
            if self.context.rank == 0:
                self.writer.submit(_write, self.checkpoints, state, last, best, self.hooks.on_state)


def _write(store: CheckpointStore, state: State, last: bool, best: bool, then: Callable[[State], None]) -> None:
    if best:
        store.save_best({name: state[name] for name in ("step", "history", "model")})
    if last:
        store.save(state["step"], state)
        then(state)
