"""Denoise one window of motion for a batch of clips (paper 3.2, 3.3; eq. 8).

Shapes as in models/transformer/motion_transformer.py. All here is NumPy: the network, which PyTorch or ONNX Runtime
runs (models/generation/torch_network.py, graph_network.py), is asked for the branches of eq. 8 and for nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.diffusion.sampler import Solver, ddim_step, ddpm_step, extrapolate_x0
from models.diffusion.schedule import Target, to_x0


def guide_audio(null: np.ndarray, audio: np.ndarray, audio_scale: float | np.ndarray) -> np.ndarray:
    """The first two terms of eq. 8; all that is left of it where there is no emotion (stage 1, head pose)."""
    return null + audio_scale * (audio - null)


def guide(null: np.ndarray, audio: np.ndarray, audio_emotion: np.ndarray, audio_scale: float | np.ndarray,
          emotion_scale: float | np.ndarray) -> np.ndarray:
    """Eq. 8: predictions without conditions, with audio, and with audio and emotion, of one shape.

    The paper's weights are numbers; here they may differ from frame to frame and between expression and pose.
    """
    return guide_audio(null, audio, audio_scale) + emotion_scale * (audio_emotion - audio)


@dataclass(frozen=True)
class Conditions:
    """What a window is generated from, float32; `emotion` [B, 1 or L, E + 1] or None for the stage-1 model."""

    speech: np.ndarray  # [B, L, A]
    identity: np.ndarray  # [B, 3K]
    previous: np.ndarray  # [B, P, D]
    has_previous: np.ndarray  # [B] bool
    mask: np.ndarray | None  # [B, L] bool; None: all frames are real
    emotion: np.ndarray | None
    audio_scale: float | np.ndarray  # w_a of eq. 8, or [B, W, D]
    emotion_scale: float
    guided: np.ndarray | None = None  # [B, 2] part of the steps (0-1) that is guided; None: all
    strength: float | np.ndarray = 1.0  # of the emotion, 0-1, or [B, W, 1]


@dataclass(frozen=True)
class KnownPath:
    """Dimensions of motion that are not to be generated, and where they are all along."""

    known: np.ndarray  # [B or 1, 1, D] bool
    steps: list[np.ndarray]  # [B, W, D] before the first step, then one a step; read where `known`


Branches = Callable[[np.ndarray, int], np.ndarray]  # noisy [B, W, D], time -> [2 or 3, B, W, D]


class BranchNetwork(Protocol):
    """A trained model as the denoiser needs it."""

    @property
    def motion_mask(self) -> np.ndarray:
        """[D], 0 for dimensions that never move in the training clips."""

    def branches(self, given: Conditions) -> Branches:
        """Make ready what no step changes; the result predicts without conditions, with audio and, where an emotion
        is asked for, with both. The head pose of the third is that of the second: emotion does not move the head."""


class Denoiser:
    """A model with its noise schedule and the solver's times, noisiest first."""

    def __init__(self, network: BranchNetwork, alpha_bar: np.ndarray, target: Target, solver: Solver,
                 times: list[int], limit: float):
        """`limit`: predicted clean motion is kept within so many deviations, as DDPM does: noise predictions of
        weak models are amplified 1 / sqrt(alpha_bar)."""
        self.network, self.target, self.solver, self.times, self.limit = network, target, solver, times, limit
        self.levels = [float(alpha_bar[t]) for t in times]
        self.next_levels = [*self.levels[1:], 1.0]

    def run(self, conditions: Conditions, noise: np.ndarray, step_noise: np.ndarray | None,
            given: KnownPath | None) -> tuple[np.ndarray, list[np.ndarray]]:
        """Turn `noise` [B, W, D] into motion [B, W, D]; also return it before the first step and after every one.

        W may be fewer frames than the model's window, where no more are wanted.
        `step_noise` [steps, B, W, D] is DDPM's. What is `given` replaces its dimensions all along, so that the others
        are generated to fit: expression to a pose, a mouth to the face around it.
        """
        predict, mask = self.network.branches(conditions), self.network.motion_mask
        x = noise * mask
        path, before = [x], None  # of DPM-Solver++: the last step's x_0
        for index, time in enumerate(self.times):
            if given is not None:
                x = np.where(given.known, given.steps[index], x)
            level, next_level = self.levels[index], self.next_levels[index]
            guided = _guide(predict(x, time), conditions, (index + 0.5) / len(self.times))
            x0 = to_x0(guided, x, level, self.target) * mask
            x0 = x0.clip(-self.limit, self.limit)
            if self.solver != "ddpm":
                x = ddim_step(x, self._ahead(x0, before, index), level, next_level)
                before = x0
            elif step_noise is None:
                raise ValueError("DDPM wants `step_noise`")
            else:
                x = ddpm_step(x, x0, level, next_level, step_noise[index] * mask)
            path.append(x)
        return (x if given is None else np.where(given.known, given.steps[-1], x)), path

    def _ahead(self, x0: np.ndarray, before: np.ndarray | None, index: int) -> np.ndarray:
        if self.solver == "ddim" or before is None:
            return x0
        return extrapolate_x0(x0, before, self.levels[index - 1], self.levels[index], self.next_levels[index])

    def noise_path(self, motion: np.ndarray, noise: np.ndarray) -> list[np.ndarray]:
        """The path of known normalised motion [B, W, D] under noise [B, W, D]; it ends at the motion itself."""
        return [*(level**0.5 * motion + (1 - level) ** 0.5 * noise for level in self.levels), motion]


def _guide(branches: np.ndarray, given: Conditions, share: float) -> np.ndarray:
    """The guided prediction [B, W, D] of the step in whose middle `share` of sampling is done.

    Where it is not guided w_a and w_e are 1: the prediction with all conditions (guidance in an interval of noise
    levels: Kynkaanniemi et al. 2024). An emotion's strength weighs what it changes, guided or not.
    """
    audio_scale: float | np.ndarray = given.audio_scale
    emotion_scale: float | np.ndarray = given.emotion_scale
    if given.guided is not None:
        on = ((given.guided[:, 0] <= share) & (share < given.guided[:, 1]))[:, None, None]  # [B, 1, 1]
        audio_scale, emotion_scale = (np.where(on, w, 1).astype(np.float32) for w in (audio_scale, emotion_scale))
    if given.emotion is None:
        null, audio = branches
        return guide_audio(null, audio, audio_scale)
    null, audio, audio_emotion = branches
    return guide(null, audio, audio_emotion, audio_scale, emotion_scale * given.strength)
