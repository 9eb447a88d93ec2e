"""Reverse steps of DDIM (Song et al. 2020), DDPM (Ho et al. 2020) and DPM-Solver++ as functions of the predicted x_0.

A step goes from alpha_bar `ab_t` to the less noisy `ab_s`; `ab_s` = 1 is the clean sample. Scalars are float64
tensors of no dimension; the sample keeps its own type.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Solver = Literal["ddim", "ddpm", "dpmpp"]


def sampling_times(train_steps: int, steps: int) -> list[int]:
    """`steps` training times from train_steps - 1 down to 0, evenly spread ("trailing" at the noisy end)."""
    if not 1 <= steps <= train_steps:
        raise ValueError(f"sampling steps {steps} must lie in 1..{train_steps}, the diffusion's own")
    if steps == 1:
        return [train_steps - 1]
    return torch.linspace(train_steps - 1, 0, steps, dtype=torch.float64).round().long().tolist()


def even_snr_times(alpha_bar: Tensor, steps: int) -> list[int]:
    """At most `steps` training times, evenly spread in the log of the signal-to-noise ratio, for DPM-Solver++.

    Fewer where two would be the same training step.
    """
    log_snr = (alpha_bar / (1 - alpha_bar)).log().double()
    wanted = torch.linspace(log_snr[-1], log_snr[0], steps, dtype=torch.float64)
    sampling_times(len(alpha_bar), steps)  # raises ValueError
    return sorted({int((log_snr - value).abs().argmin()) for value in wanted.tolist()}, reverse=True)


def solver_times(solver: Solver, alpha_bar: Tensor, steps: int) -> list[int]:
    """The training times, noisiest first, that a solver visits; raises ValueError for an impossible number."""
    return even_snr_times(alpha_bar, steps) if solver == "dpmpp" else sampling_times(len(alpha_bar), steps)


def ddim_step(x_t: Tensor, x0: Tensor, ab_t: Tensor, ab_s: Tensor) -> Tensor:
    """DDIM eq. 12 with eta = 0: x_s on the straight path from x_t through x_0."""
    keep = ((1 - ab_s) / (1 - ab_t)).sqrt()
    return (ab_s.sqrt() - keep * ab_t.sqrt()).to(x0) * x0 + keep.to(x_t) * x_t


def ddpm_step(x_t: Tensor, x0: Tensor, ab_t: Tensor, ab_s: Tensor, noise: Tensor) -> Tensor:
    """DDPM eq. 6-7: a draw from q(x_s | x_t, x_0), for neighbouring or skipped times."""
    alpha = ab_t / ab_s
    mean = (ab_s.sqrt() * (1 - alpha) / (1 - ab_t)).to(x0) * x0 + (alpha.sqrt() * (1 - ab_s) / (1 - ab_t)).to(x_t) * x_t
    return mean + ((1 - ab_s) / (1 - ab_t) * (1 - alpha)).sqrt().to(noise) * noise


def extrapolated_x0(x0: Tensor, x0_before: Tensor, ab_before: Tensor, ab_t: Tensor, ab_s: Tensor) -> Tensor:
    """DPM-Solver++ (2M) of Lu et al. 2022, algorithm 2: what a DDIM step from `ab_t` to `ab_s` takes for x_0.

    `x0_before` was predicted at the noisier `ab_before`; x_0 is taken as linear in half the log of the signal-to-noise
    ratio. The step to clean data (`ab_s` = 1) is infinitely long there: it stays one of first order, from x_0 itself.
    """
    before, now, after = (0.5 * (ab / (1 - ab)).log() for ab in (ab_before, ab_t, ab_s))
    weight = (0.5 * (after - now) / (now - before)).to(x0)
    return x0 + weight * (x0 - x0_before)
