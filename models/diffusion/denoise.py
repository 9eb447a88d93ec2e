"""Denoise one window of motion for a batch of clips (paper 3.2, 3.3; eq. 8).

Shapes as in models/transformer/motion_transformer.py. The branches of eq. 8 are one batch: the Conformer sees two rows
a clip (no audio, audio), because the row with emotion differs from the audio row only after it; the emotion-control
module sees three.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.diffusion.sampler import Solver, ddim_step, ddpm_step, extrapolated_x0
from models.diffusion.schedule import Target, to_x0
from models.motion.motion import RHO_DIM
from models.transformer.motion_transformer import MotionTransformer


def guide_audio(null: Tensor, audio: Tensor, audio_scale: float | Tensor) -> Tensor:
    """The first two terms of eq. 8; all that is left of it where there is no emotion (stage 1, head pose)."""
    return null + audio_scale * (audio - null)


def guide(null: Tensor, audio: Tensor, audio_emotion: Tensor, audio_scale: float | Tensor,
          emotion_scale: float | Tensor) -> Tensor:
    """Eq. 8: predictions without conditions, with audio, and with audio and emotion, of one shape."""
    return guide_audio(null, audio, audio_scale) + emotion_scale * (audio_emotion - audio)


@dataclass(frozen=True)
class Conditions:
    """What a window is generated from; `emotion` [B, 1 or L, E + 1] or None for the stage-1 model."""

    speech: Tensor  # [B, L, A]
    identity: Tensor  # [B, 3K]
    previous: Tensor  # [B, P, D]
    has_previous: Tensor  # [B] bool
    mask: Tensor | None  # [B, L] bool
    emotion: Tensor | None
    audio_scale: float
    emotion_scale: float


class Denoiser:
    """A model with its noise schedule and the solver's times, noisiest first."""

    def __init__(self, model: MotionTransformer, alpha_bar: Tensor, target: Target, solver: Solver, times: list[int],
                 limit: float):
        """`limit`: predicted clean motion is kept within so many deviations, as DDPM does: noise predictions of
        weak models are amplified 1 / sqrt(alpha_bar)."""
        self.model, self.target, self.solver, self.times, self.limit = model, target, solver, times, limit
        self.levels = [alpha_bar[t].double().cpu() for t in times]
        self.next_levels = [*self.levels[1:], torch.tensor(1.0, dtype=torch.float64)]

    def run(self, conditions: Conditions, noise: Tensor, step_noise: Tensor | None,
            pose_path: list[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        """Turn `noise` [B, W, D] into motion [B, W, D]; also return the head pose [B, W, 7] after every step.

        W may be fewer frames than the model's window, where no more are wanted.
        `step_noise` [steps, B, W, D] is DDPM's. A `pose_path` given (one entry before the first step, then one a
        step) replaces the pose dimensions all along, so that the expression is generated to fit that pose.
        """
        doubled = self._doubled(conditions)
        x = noise * self.model.motion_mask
        path, before = [x[..., -RHO_DIM:]], None  # of DPM-Solver++: the last step's x_0
        for index, time in enumerate(self.times):
            if pose_path is not None:
                x = torch.cat([x[..., :-RHO_DIM], pose_path[index]], dim=-1)
            level, next_level = self.levels[index], self.next_levels[index]
            x0 = to_x0(self._predict(x, time, doubled), x, level.to(x), self.target) * self.model.motion_mask
            x0 = x0.clamp(-self.limit, self.limit)
            if self.solver != "ddpm":
                x = ddim_step(x, self._ahead(x0, before, index), level, next_level)
                before = x0
            elif step_noise is None:
                raise ValueError("DDPM wants `step_noise`")
            else:
                x = ddpm_step(x, x0, level, next_level, step_noise[index] * self.model.motion_mask)
            path.append(x[..., -RHO_DIM:])
        return (x if pose_path is None else torch.cat([x[..., :-RHO_DIM], pose_path[-1]], dim=-1)), path

    def _ahead(self, x0: Tensor, before: Tensor | None, index: int) -> Tensor:
        if self.solver == "ddim" or before is None or index + 1 == len(self.levels):  # the last step is to clean data
            return x0
        return extrapolated_x0(x0, before, self.levels[index - 1], self.levels[index], self.next_levels[index])

    def noised_path(self, pose: Tensor, noise: Tensor) -> list[Tensor]:
        """The path of a known normalised pose [B, W, 7] under noise [B, W, 7]; it ends at the pose itself."""
        noised = [level.sqrt().to(pose) * pose + (1 - level).sqrt().to(pose) * noise for level in self.levels]
        return [*noised, pose]

    def _doubled(self, given: Conditions) -> tuple[Conditions, Tensor]:
        """Conditions of the rows (no audio, audio), and their audio features, which no step changes."""
        def twice(x: Tensor) -> Tensor:
            return torch.cat([x, x])

        count = len(given.speech)
        drop = torch.arange(2 * count, device=given.speech.device) < count
        both = replace(given, speech=twice(given.speech), identity=twice(given.identity),
                       previous=twice(given.previous), has_previous=twice(given.has_previous),
                       mask=None if given.mask is None else twice(given.mask))
        return both, self.model.encode_audio(both.speech, both.has_previous, drop, both.mask)

    def _predict(self, x: Tensor, time: int, doubled: tuple[Conditions, Tensor]) -> Tensor:
        """The guided prediction [B, W, D]."""
        given, audio = doubled
        times = torch.full((2 * len(x),), time, device=x.device)
        hidden, time_feature = self.model.trunk(torch.cat([x, x]), times, audio, given.identity, given.previous,
                                                given.has_previous, given.mask)
        null, spoken = self.model.pose(hidden).chunk(2)
        pose = guide_audio(null, spoken, given.audio_scale)
        return torch.cat([self._expression(hidden, time_feature, given), pose], dim=-1)

    def _expression(self, hidden: Tensor, time_feature: Tensor, given: Conditions) -> Tensor:
        if given.emotion is None:
            plain, spoken = self.model.expression(hidden, time_feature).chunk(2)
            return guide_audio(plain, spoken, given.audio_scale)
        count = len(hidden) // 2
        null = torch.zeros_like(given.emotion)
        null[..., -1] = 1
        branches = self.model.expression(
            torch.cat([hidden, hidden[count:]]), torch.cat([time_feature, time_feature[count:]]),
            torch.cat([null, null, given.emotion]),
            None if given.mask is None else torch.cat([given.mask, given.mask[count:]]))
        plain, spoken, felt = branches.chunk(3)
        return guide(plain, spoken, felt, given.audio_scale, given.emotion_scale)
