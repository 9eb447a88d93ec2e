"""The clock of motion and speech: every model here counts time in frames of 40 ms and hears 640 samples in each."""

from __future__ import annotations

import numpy as np

FPS = 25
SAMPLE_RATE_HZ = 16000


def at_frames(curve: np.ndarray, start: int, count: int) -> np.ndarray:
    """`count` rows of a curve [T, ...] from frame `start` on, its ends repeated."""
    return curve[(start + np.arange(count)).clip(0, len(curve) - 1)]
