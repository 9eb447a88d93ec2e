"""Curves that speech does not decide: head motion, blinks, gaze, and how strong an emotion is at each moment.

Every curve is a function of time made from a seeded generator, so that it can be evaluated at any frame rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.motion.blinks import blink_shape


@dataclass(frozen=True)
class HeadStyle:
    """How a person moves: standard deviation of pitch, yaw, roll in degrees, of x, y in face widths, of scale."""

    angles_deg: tuple[float, float, float]
    shift: float
    scale: float
    nod_deg: float  # pitch that goes with loudness
    blinks_per_min: float


LIMITS_DEG = np.array([8.0, 12.0, 6.0])
BAND_HZ = (0.12, 0.75)
FREQUENCIES = 9
MAX_INTENSITY = 1.3  # of an emotion; 1 is its full strength


def band_noise(rng: np.random.Generator, times_s: np.ndarray, count: int) -> np.ndarray:
    """`count` smooth curves [T, count] of unit variance with energy from 0.12 to 0.75 Hz only."""
    hz = rng.uniform(*BAND_HZ, (FREQUENCIES, count))
    phase = rng.uniform(0, 2 * np.pi, (FREQUENCIES, count))
    weight = 1 / np.sqrt(hz)
    waves = np.sin(2 * np.pi * hz * times_s[:, None, None] + phase) * weight
    return waves.sum(1) / np.sqrt((weight**2).sum(0) / 2)


def head_motion(rng: np.random.Generator, style: HeadStyle, times_s: np.ndarray, loudness: np.ndarray) -> dict:
    """Pose offsets at `times_s` [T]: angles_deg [T, 3] within +-(8, 12, 6), shift [T, 2], scale [T] (factor).

    `loudness` [T] in 0-1 lowers the chin a little on loud syllables.
    """
    noise = band_noise(rng, times_s, 6)
    angles = noise[:, :3] * np.array(style.angles_deg)
    angles[:, 0] += style.nod_deg * (loudness - 0.4)
    angles = LIMITS_DEG * np.tanh(angles / LIMITS_DEG)
    return {"angles_deg": angles, "shift": style.shift * noise[:, 3:5], "scale": 1 + style.scale * noise[:, 5]}


def blinks(rng: np.random.Generator, per_min: float, duration_s: float, times_s: np.ndarray) -> np.ndarray:
    """Lid closure [T] from 0 to 1: blinks of 150 to 250 ms, quick to close, at random intervals of at least 1 s."""
    closed = np.zeros(len(times_s))
    at = rng.uniform(0.3, 60 / per_min)
    while at < duration_s:
        length = rng.uniform(0.15, 0.25)
        closed = np.maximum(closed, blink_shape((times_s - at) / length))
        at += 1.0 + rng.exponential(max(60 / per_min - 1.0, 0.5))
    return closed


def gaze(rng: np.random.Generator, duration_s: float, times_s: np.ndarray) -> np.ndarray:
    """Iris offset [T, 2] in face widths: fixations of 0.5 to 2 s joined by jumps of 50 ms."""
    starts = np.cumsum(rng.uniform(0.5, 2.0, 2 + int(duration_s / 0.5)))
    places = rng.normal(0, [0.006, 0.003], (len(starts) + 1, 2))
    knots = np.sort(np.concatenate([[-1.0], starts, starts + 0.05]))
    values = np.repeat(places, 2, axis=0)[: len(knots)]
    return np.column_stack([np.interp(times_s, knots, values[:, axis]) for axis in (0, 1)])


def emotion_envelope(rng: np.random.Generator, duration_s: float, times_s: np.ndarray, strength: float) -> np.ndarray:
    """Intensity [T] of an emotion: near neutral at first, up within about 0.6 s, then swaying around `strength`."""
    sway = 1 + 0.15 * band_noise(rng, times_s, 1)[:, 0]
    onset = np.clip((times_s - 0.05) / rng.uniform(0.4, 0.8), 0, 1)
    release = np.clip((duration_s + 0.5 - times_s) / 0.8, 0, 1)
    ease = (3 * onset**2 - 2 * onset**3) * (3 * release**2 - 2 * release**3)
    return np.clip(strength * ease * sway, 0.0, MAX_INTENSITY)
