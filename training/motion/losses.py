"""The diffusion objective (eq. 7) with the previous-motion augmentation (eq. 9) for one batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from models.diffusion.schedule import Target, add_noise, noise_previous, training_target
from models.motion.motion import RHO_DIM
from training.motion.batches import Batch

NOISE_LEVELS = 4  # quarters of the schedule in which the loss is logged


@dataclass(frozen=True)
class Objective:
    """What is predicted and how its parts count; `alpha_bar` [steps] float64."""

    alpha_bar: Tensor
    target: Target
    previous_noise_form: Literal["sqrt", "literal"]
    weight_of: Literal["part", "dimension"]  # what the two weights are of
    expression_weight: float
    pose_weight: float
    pose_velocity_weight: float
    use_emotion: bool

    def to(self, device: torch.device) -> Objective:
        return replace(self, alpha_bar=self.alpha_bar.to(device))

    def predict(self, model: Callable[..., Tensor], batch: Batch) -> tuple[Tensor, Tensor]:
        """Noise the batch, run the model: prediction and target [B, W, D]."""
        level = self.alpha_bar[batch.time][:, None, None].to(batch.motion)
        noisy = add_noise(batch.motion, batch.noise, level)
        prediction = model(noisy, batch.time, batch.speech, batch.identity, self._previous(batch), batch.has_previous,
                           mask=batch.mask, drop_audio=batch.drop_audio, drop_identity=batch.drop_identity,
                           emotion=batch.emotion if self.use_emotion else None)
        return prediction, training_target(batch.motion, batch.noise, level, self.target)

    def weigh(self, expression: Tensor, pose: Tensor, motion_mask: Tensor) -> Tensor:
        """The loss of both parts, of any one shape; motion_mask [D]: 1 where a dimension moves.

        `dimension`: the weighted mean over all dimensions that move, so that equal weights are eq. 7's plain mean
        however many are masked. `part`: the weights as they are, of each part's own mean.
        """
        if self.weight_of == "part":
            return self.expression_weight * expression + self.pose_weight * pose
        of_expression = self.expression_weight * motion_mask[:-RHO_DIM].sum()
        of_pose = self.pose_weight * motion_mask[-RHO_DIM:].sum()
        return (of_expression * expression + of_pose * pose) / (of_expression + of_pose)

    def _previous(self, batch: Batch) -> Tensor:
        noised = batch.previous_time >= 0
        level = self.alpha_bar[batch.previous_time.clamp(min=0)]
        level = torch.where(noised, level, torch.ones_like(level))[:, None, None].to(batch.previous)
        return noise_previous(batch.previous, batch.previous_noise, level, self.previous_noise_form)


def loss_parts(prediction: Tensor, target: Tensor, mask: Tensor, motion_mask: Tensor,
               pose_velocity_weight: float = 0.0) -> tuple[Tensor, Tensor]:
    """Squared error per sample of expression and of pose, each [B].

    Means over real frames (mask [B, W]) and dimensions that move (motion_mask [D]). The pose's part has the error of
    its frame-to-frame change added, as often as `pose_velocity_weight` says: a head that trembles is barely wrong in
    position, much in speed.
    """
    error = (prediction.float() - target.float()).square() * motion_mask * mask[..., None]
    frames = mask.sum(dim=1)
    live_expression = motion_mask[:-RHO_DIM].sum().clamp(min=1)
    live_pose = motion_mask[-RHO_DIM:].sum().clamp(min=1)
    pose = error[..., -RHO_DIM:].sum(dim=(1, 2))
    if pose_velocity_weight:
        pose = pose + pose_velocity_weight * _velocity_error((prediction.float() - target.float())[..., -RHO_DIM:]
                                                             * motion_mask[-RHO_DIM:], mask)
    return error[..., :-RHO_DIM].sum(dim=(1, 2)) / (frames * live_expression), pose / (frames * live_pose)


def _velocity_error(difference: Tensor, mask: Tensor) -> Tensor:
    """Sum of squared changes of `difference` [B, W, d] between neighbouring real frames, [B]."""
    both = (mask[:, 1:] & mask[:, :-1])[..., None]
    return ((difference[:, 1:] - difference[:, :-1]).square() * both).sum(dim=(1, 2))


def by_noise_level(losses: Tensor, time: Tensor, steps: int, mean: Callable[[Tensor], Tensor]) -> dict[str, float]:
    """`loss_noise_0` (least noise) to `loss_noise_3`: mean loss of the samples whose time [B] lies in that quarter.

    `mean` averages over workers; a quarter without a sample is left out.
    """
    quarter = time * NOISE_LEVELS // steps
    rows = [(quarter == level).to(losses) for level in range(NOISE_LEVELS)]
    sums = mean(torch.stack([torch.stack([(losses * row).sum(), row.sum()]) for row in rows])).tolist()
    return {f"loss_noise_{level}": total / count for level, (total, count) in enumerate(sums) if count}
