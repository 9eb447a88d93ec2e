"""What is tuned by eq. 2-4: LivePortrait's networks and their optimiser; one step of them on a share of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from models.judges.vgg import VggFeatures
from models.liveportrait.networks import Networks
from pipeline.core.config import Tune
from training.decoupling.objective import DecouplingObjective, Weights, choose_trained, leakage
from training.decoupling.pairs import PairBatch, PairClip, fixed_pairs, pair_batch, read_pairs
from training.engine.context import Context
from training.engine.loop import State
from training.engine.optimiser import AdamW, learning_rate
from training.engine.verdict import Row

MEASURED = 16  # pairs on which the leakage is measured, before and after
TERMS = ("loss", "transfer", "reconstruction", "perceptual", "prior")


@dataclass(frozen=True)
class Measured:
    """What a step measured on this worker, of n pairs."""

    clip_ids: list[str]
    times: Tensor  # [n, 2] the pairs' frames
    losses: Tensor  # [n]
    means: Tensor  # [len(TERMS)]; their mean over workers is that over the global batch
    grad_norm: Tensor  # of all workers' mean gradient, before clipping


class Learner:
    """The networks as a `Trainee` of the loop."""

    def __init__(self, networks: Networks, features: VggFeatures, clips: list[PairClip],
                 measured_clips: list[PairClip], settings: Tune, seed: int, context: Context):
        self.clips, self.measured_clips, self.seed = clips, measured_clips, seed
        self.settings, self.context = settings, context
        weights = Weights(settings.transfer_weight, settings.reconstruction_weight, settings.perceptual_weight,
                          settings.prior_weight)
        self.networks = networks.to(context.device)
        self.parameters = choose_trained(self.networks, list[str](settings.train))
        objective = DecouplingObjective(self.networks, features, weights, settings.distance, settings.picture_px)
        self.wrapped = context.wrap(objective.to(context.device))
        self.optimiser = AdamW(self.parameters, weight_decay=0.0)

    def make_batch(self, step: int) -> PairBatch:
        return pair_batch(self.clips, self.settings.batch, self.settings.min_gap, self.seed, step, self.context.rank,
                          self.context.world_size)

    def gradients(self, batch: PairBatch, step: int) -> Measured:
        half = self.settings.precision == "bf16"
        with torch.autocast(self.context.device.type, torch.bfloat16, enabled=half):
            parts = self.wrapped(*batch.pictures())
        parts["loss"].mean().backward()
        self.context.sync_gradients(self.parameters)
        norm = clip_grad_norm_(self.parameters, self.settings.grad_clip)
        means = torch.stack([parts[name].detach().mean() for name in TERMS])
        return Measured(batch.clip_ids, batch.frames, parts["loss"].detach(), means, norm)

    def update(self, step: int) -> float:
        lr = learning_rate(self.settings, step)
        self.optimiser.step(lr)
        return lr

    def row(self, made: Measured) -> Row:
        return dict(zip(TERMS, self.context.mean(made.means).tolist(), strict=True))

    def validate(self) -> Row:
        """How far pose and expression leak into each other, on the same pairs at every call."""
        pairs = fixed_pairs(self.measured_clips, MEASURED, self.settings.min_gap, self.seed)
        clips, frames = zip(*pairs, strict=True)
        return leakage(self.networks, *read_pairs(list(clips), list(frames)).to(self.context.device).pictures())

    def state(self) -> State:
        return {"weights": {name: _copy(value) for name, value in self.networks.state_dict().items()},
                "optimiser": {name: [_copy(tensor) for tensor in tensors]
                              for name, tensors in self.optimiser.state_dict().items()}}

    def load(self, state: State) -> None:
        self.networks.load_state_dict(state["weights"])
        self.optimiser.load_state_dict(state["optimiser"])


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True)
