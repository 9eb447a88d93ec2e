"""Noise schedules and the algebra between noise, clean sample and velocity (paper 3.2; DDPM, Ho et al. 2020).

alpha_bar[t] is the share of signal variance left at step t of 0..steps-1; x_t = sqrt(ab) x_0 + sqrt(1-ab) eps.
Tables are float64 arrays. The algebra takes NumPy's arrays, as sampling does, and PyTorch's tensors, as training does;
`alpha_bar` arguments are numbers, or broadcast against the samples.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal["linear", "cosine"]
Target = Literal["eps", "x0", "v"]
Array = TypeVar("Array", np.ndarray, "Tensor")


def linear_betas(steps: int) -> np.ndarray:
    """DDPM's 1e-4..0.02 over 1000 steps [steps]; other lengths are rescaled by 1000 / steps (DiT)."""
    scale = 1000 / steps
    return np.linspace(scale * 1e-4, min(scale * 0.02, 0.999), steps)


def cosine_betas(steps: int, offset: float = 0.008, cap: float = 0.999) -> np.ndarray:
    """Cosine schedule of Nichol & Dhariwal (2021), eq. 17 [steps]."""
    time = np.linspace(0, 1, steps + 1)
    signal = np.cos((time + offset) / (1 + offset) * math.pi / 2) ** 2
    return np.minimum(1 - signal[1:] / signal[:-1], cap)


def alpha_bars(kind: Kind, steps: int) -> np.ndarray:
    """alpha_bar [steps] in float64; raises ValueError for an unknown schedule."""
    if kind not in ("linear", "cosine"):
        raise ValueError(f"unknown noise schedule {kind!r}: accepted are linear, cosine")
    betas = linear_betas(steps) if kind == "linear" else cosine_betas(steps)
    return np.cumprod(1 - betas)


def add_noise(x0: Array, eps: Array, alpha_bar: Array | float) -> Array:
    """DDPM eq. 4: x_t from x_0 and eps of the same shape."""
    return alpha_bar**0.5 * x0 + (1 - alpha_bar) ** 0.5 * eps


def noise_previous(previous: Array, eps: Array, alpha_bar: Array | float, form: Literal["sqrt", "literal"]) -> Array:
    """Eq. 9 on the previous motion.

    `sqrt` is DDPM's add_noise, which Hallo2, the source of this augmentation, uses; `literal` is eq. 9 as
    printed, with (1 - alpha_bar) for the noise: a sixth of the noise at t = 49 of 1000.
    """
    noise = (1 - alpha_bar) ** 0.5 if form == "sqrt" else 1 - alpha_bar
    return alpha_bar**0.5 * previous + noise * eps


def training_target(x0: Array, eps: Array, alpha_bar: Array | float, target: Target) -> Array:
    """What the network predicts: eps (eq. 7), x0, or v = sqrt(ab) eps - sqrt(1-ab) x0 (Salimans & Ho 2022)."""
    if target == "eps":
        return eps
    if target == "x0":
        return x0
    if target == "v":
        return alpha_bar**0.5 * eps - (1 - alpha_bar) ** 0.5 * x0
    raise ValueError(f"unknown prediction target {target!r}: accepted are eps, x0, v")


def to_x0(prediction: Array, x_t: Array, alpha_bar: Array | float, target: Target) -> Array:
    """The clean sample that a prediction of kind `target` at x_t implies."""
    if target == "x0":
        return prediction
    if target == "eps":
        return (x_t - (1 - alpha_bar) ** 0.5 * prediction) / alpha_bar**0.5
    return alpha_bar**0.5 * x_t - (1 - alpha_bar) ** 0.5 * prediction
