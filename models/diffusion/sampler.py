"""Reverse steps of DDIM (Song et al. 2020) and DDPM (Ho et al. 2020) as free functions of the predicted x_0.

A step goes from alpha_bar `ab_t` to the less noisy `ab_s`; `ab_s` = 1 is the clean sample. Scalars are float64
tensors of no dimension; the sample keeps its own type.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Solver = Literal["ddim", "ddpm"]


def sampling_times(train_steps: int, steps: int) -> list[int]:
    """`steps` training times from train_steps - 1 down to 0, evenly spread ("trailing" at the noisy end)."""
    if not 1 <= steps <= train_steps:
        raise ValueError(f"sampling steps {steps} must lie in 1..{train_steps}, the diffusion's own")
    if steps == 1:
        return [train_steps - 1]
    return torch.linspace(train_steps - 1, 0, steps, dtype=torch.float64).round().long().tolist()


def ddim_step(x_t: Tensor, x0: Tensor, ab_t: Tensor, ab_s: Tensor) -> Tensor:
    """DDIM eq. 12 with eta = 0: x_s on the straight path from x_t through x_0."""
    keep = ((1 - ab_s) / (1 - ab_t)).sqrt()
    return (ab_s.sqrt() - keep * ab_t.sqrt()).to(x0) * x0 + keep.to(x_t) * x_t


def ddpm_step(x_t: Tensor, x0: Tensor, ab_t: Tensor, ab_s: Tensor, noise: Tensor) -> Tensor:
    """DDPM eq. 6-7: a draw from q(x_s | x_t, x_0), for neighbouring or skipped times."""
    alpha = ab_t / ab_s
    mean = (ab_s.sqrt() * (1 - alpha) / (1 - ab_t)).to(x0) * x0 + (alpha.sqrt() * (1 - ab_s) / (1 - ab_t)).to(x_t) * x_t
    return mean + ((1 - ab_s) / (1 - ab_t) * (1 - alpha)).sqrt().to(noise) * noise
