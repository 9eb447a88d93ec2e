"""Reverse steps of DDIM (Song et al. 2020), DDPM (Ho et al. 2020) and DPM-Solver++ as functions of the predicted x_0.

A step goes from alpha_bar `ab_t` to the less noisy `ab_s`; `ab_s` = 1 is the clean sample. Both are numbers, and the
sample keeps its own type.
"""

from __future__ import annotations

from math import log, sqrt
from typing import Literal

import numpy as np

Solver = Literal["ddim", "ddpm", "dpmpp"]


def sampling_times(train_steps: int, steps: int) -> list[int]:
    """`steps` training times from train_steps - 1 down to 0, evenly spread ("trailing" at the noisy end)."""
    if not 1 <= steps <= train_steps:
        raise ValueError(f"sampling steps {steps} must lie in 1..{train_steps}, the diffusion's own")
    if steps == 1:
        return [train_steps - 1]
    return np.linspace(train_steps - 1, 0, steps).round().astype(int).tolist()


def even_snr_times(alpha_bar: np.ndarray, steps: int) -> list[int]:
    """At most `steps` training times, evenly spread in the log of the signal-to-noise ratio, for DPM-Solver++.

    Fewer where two would be the same training step.
    """
    log_snr = np.log(alpha_bar / (1 - alpha_bar))
    sampling_times(len(alpha_bar), steps)  # raises ValueError
    wanted = np.linspace(log_snr[-1], log_snr[0], steps)
    return sorted({int(np.abs(log_snr - value).argmin()) for value in wanted}, reverse=True)


def solver_times(solver: Solver, alpha_bar: np.ndarray, steps: int) -> list[int]:
    """The training times, noisiest first, that a solver visits; raises ValueError for an impossible number."""
    return even_snr_times(alpha_bar, steps) if solver == "dpmpp" else sampling_times(len(alpha_bar), steps)


def ddim_step(x_t: np.ndarray, x0: np.ndarray, ab_t: float, ab_s: float) -> np.ndarray:
    """DDIM eq. 12 with eta = 0: x_s on the straight path from x_t through x_0."""
    keep = sqrt((1 - ab_s) / (1 - ab_t))
    return (sqrt(ab_s) - keep * sqrt(ab_t)) * x0 + keep * x_t


def ddpm_step(x_t: np.ndarray, x0: np.ndarray, ab_t: float, ab_s: float, noise: np.ndarray) -> np.ndarray:
    """DDPM eq. 6-7: a draw from q(x_s | x_t, x_0), for neighbouring or skipped times."""
    alpha = ab_t / ab_s
    mean = sqrt(ab_s) * (1 - alpha) / (1 - ab_t) * x0 + sqrt(alpha) * (1 - ab_s) / (1 - ab_t) * x_t
    return mean + sqrt((1 - ab_s) / (1 - ab_t) * (1 - alpha)) * noise


def extrapolate_x0(x0: np.ndarray, x0_before: np.ndarray, ab_before: float, ab_t: float, ab_s: float) -> np.ndarray:
    """DPM-Solver++ (2M) of Lu et al. 2022, algorithm 2: what a DDIM step from `ab_t` to `ab_s` takes for x_0.

    `x0_before` was predicted at the noisier `ab_before`; x_0 is taken as linear in half the log of the signal-to-noise
    ratio. The step to clean data (`ab_s` = 1) is infinitely long there and stays of first order.
    """
    if ab_s == 1:
        return x0
    before, now, after = (0.5 * log(ab / (1 - ab)) for ab in (ab_before, ab_t, ab_s))
    return x0 + 0.5 * (after - now) / (now - before) * (x0 - x0_before)
