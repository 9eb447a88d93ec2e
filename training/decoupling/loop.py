"""The loop that tunes LivePortrait by eq. 2-4, in one process or on Ray Train's workers, resumable to the bit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from models.judges.vgg import VggFeatures
from pipeline.compute.prefetch import prefetch
from pipeline.core.config import Tune
from training.decoupling.objective import DecouplingObjective, Weights, choose_trained, leakage
from training.decoupling.pairs import PairBatch, PairClip, batches, fixed_pairs, read_pairs
from training.engine.checkpoint import CheckpointStore
from training.engine.context import Context
from training.engine.optimiser import AdamW, learning_rate
from training.engine.stops import TrainingStopped, save_stop

MEASURED = 16  # pairs on which the leakage is measured, before and after
TERMS = ("loss", "transfer", "reconstruction", "perceptual", "prior")


@dataclass
class DecouplingJob:
    """All that one run needs; the same on every worker."""

    networks: nn.Module  # models.liveportrait.networks.Networks
    features: VggFeatures
    clips: list[PairClip]
    measured_clips: list[PairClip]  # held out where there are some
    settings: Tune
    seed: int
    checkpoints: CheckpointStore
    on_step: Callable[[int], None] = field(default=lambda step: None)  # for tests that interrupt a run


def tune_networks(job: DecouplingJob, context: Context) -> dict[str, Any]:
    """Tune to `settings.steps`, from the newest checkpoint where there is one; return the last state.

    The state holds `weights` (of the networks) and `history`, whose first and last rows carry `leakage`. Raises
    TrainingStopped before a step that would spoil the weights.
    """
    return _Run(job, context).to_end()


class _Run:
    def __init__(self, job: DecouplingJob, context: Context):
        self.job, self.context, self.settings = job, context, job.settings
        section = job.settings
        weights = Weights(section.transfer_weight, section.reconstruction_weight, section.perceptual_weight,
                          section.prior_weight)
        self.networks = job.networks.to(context.device)
        self.parameters = choose_trained(self.networks, section.train)
        objective = DecouplingObjective(self.networks, job.features, weights, section.distance, section.picture_px)
        self.wrapped = context.wrap(objective.to(context.device))
        self.optimiser = AdamW(self.parameters, weight_decay=0.0)
        self.step, self.history, self.saved = 0, [], 0
        self._restore(job.checkpoints.load_latest())

    def to_end(self) -> dict[str, Any]:
        section, context = self.settings, self.context
        if not self.history:
            self.history.append({"step": 0, **self._leakage()})
            context.report(self.history[0])
        clock = _Clock(self.step)
        steps = range(self.step, section.steps)
        for batch in clock.waiting(prefetch(batches(self.job.clips, section.batch, section.min_gap, self.job.seed,
                                                    steps, context.rank, context.world_size))):
            terms = self._train_step(batch)
            self.step += 1
            if self.step % section.log_every == 0 or self.step in (1, section.steps):
                self._log(terms, clock)
            if self.step % section.checkpoint_every == 0 and self.step < section.steps:
                self._save()
            self.job.on_step(self.step)
        self._save()
        return self._state()

    def _train_step(self, batch: PairBatch) -> torch.Tensor:
        """One optimiser step; this worker's mean of every term."""
        half = self.settings.precision == "bf16"
        with torch.autocast(self.context.device.type, torch.bfloat16, enabled=half):
            parts = self.wrapped(*batch.pictures(self.context.device))
        parts["loss"].mean().backward()
        self.context.sync_gradients(self.parameters)
        norm = clip_grad_norm_(self.parameters, self.settings.grad_clip)
        if not torch.isfinite(norm):
            self._stop(batch, parts["loss"])
        self.optimiser.step(learning_rate(self.settings, self.step))
        return torch.stack([parts[name].detach().mean() for name in TERMS])

    def _stop(self, batch: PairBatch, losses: torch.Tensor) -> NoReturn:
        bad = [clip for clip, good in zip(batch.clip_ids, losses.isfinite().tolist(), strict=True) if not good]
        record = {"step": self.step + 1, "clip_ids": batch.clip_ids, "bad_clip_ids": bad}
        key = save_stop(self.job.checkpoints.storage, self.job.checkpoints.run, self.context.rank, record)
        raise TrainingStopped(f"tuning stopped before step {self.step + 1}: the loss or gradient of the clips "
                              f"{', '.join(bad or batch.clip_ids)} is not finite; the weights are untouched, the batch "
                              f"is recorded in {key}. Lower face_space.tune.lr")

    def _log(self, terms: torch.Tensor, clock: _Clock) -> None:
        values = dict(zip(TERMS, self.context.mean(terms).tolist(), strict=True))
        row = {"step": self.step, **values, "lr": learning_rate(self.settings, self.step - 1)}
        if self.step == self.settings.steps:
            row |= self._leakage()
        self.history.append(row)
        self.context.report({**row, **clock.rates(self.step, self.settings.batch), "validations_since_best": 0})

    def _leakage(self) -> dict[str, float]:
        pairs = fixed_pairs(self.job.measured_clips, MEASURED, self.settings.min_gap, self.job.seed)
        clips, frames = zip(*pairs, strict=True)
        return leakage(self.networks, *read_pairs(list(clips), list(frames)).pictures(self.context.device))

    def _state(self) -> dict[str, Any]:
        weights = {name: value.detach().cpu().clone() for name, value in self.networks.state_dict().items()}
        return {"step": self.step, "history": self.history, "weights": weights,
                "optimiser": self.optimiser.state_dict()}

    def _save(self) -> None:
        if self.context.rank == 0 and self.step != self.saved:
            self.job.checkpoints.save(self.step, self._state())
            self.saved = self.step

    def _restore(self, state: dict[str, Any] | None) -> None:
        if state is None:
            return
        self.networks.load_state_dict(state["weights"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.history, self.saved = state["step"], state["history"], state["step"]


class _Clock:
    """How fast it goes since this process began at `first`, and how long it waited for pictures."""

    def __init__(self, first: int):
        self.first, self.began, self.waited_s = first, time.perf_counter(), 0.0

    def waiting(self, items: Iterator[PairBatch]) -> Iterator[PairBatch]:
        asked = time.perf_counter()
        for item in items:
            self.waited_s += time.perf_counter() - asked
            yield item
            asked = time.perf_counter()

    def rates(self, step: int, batch: int) -> dict[str, float]:
        elapsed_s = time.perf_counter() - self.began
        per_step = elapsed_s / (step - self.first)
        return {"seconds_per_step": per_step, "samples_per_s": batch / per_step,
                "data_wait_share": self.waited_s / elapsed_s}
