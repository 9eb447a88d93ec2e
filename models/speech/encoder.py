"""The seam between a speech encoder and everything that conditions on speech, and the way its states meet frames.

Encoders give states at 50 a second; the model needs one feature for each of 25 frames a second. Frame i is
centred on the time i / 25 s: its feature is the linear interpolation of the two states nearest to that time.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from models.motion.clock import FPS, SAMPLE_RATE_HZ

SAMPLES_PER_FRAME = SAMPLE_RATE_HZ // FPS
STATE_SAMPLES = 320  # the hop of the encoders' states: 20 ms


class SpeechEncoder(Protocol):
    name: str
    dim: int

    def encode(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        """Mono 16 kHz float32 [N] -> features [frames, dim] float32, frame i centred on i / 25 s.

        The waveform is cut, or continued by silence, to the time of `frames`.
        """


def fit_length(waveform: np.ndarray, frames: int) -> np.ndarray:
    """Cut or continue by silence: [N] -> [640 frames] float32; raises ValueError for anything but finite mono."""
    waveform = np.asarray(waveform, np.float32)
    if waveform.ndim != 1 or frames < 1 or not np.isfinite(waveform).all():
        raise ValueError(f"speech must be finite mono [N] for at least one frame, got {waveform.shape}, {frames}")
    wanted = frames * SAMPLES_PER_FRAME
    return np.pad(waveform[:wanted], (0, max(0, wanted - len(waveform))))


def align(states: np.ndarray, first_state_s: float, frames: int) -> np.ndarray:
    """Interpolate states [S, D], centred on first_state_s + 0.02 j seconds, at i / 25 s -> [frames, D].

    Before the first and after the last centre the nearest state holds.
    """
    hop_s = STATE_SAMPLES / SAMPLE_RATE_HZ
    position = np.clip((np.arange(frames) / FPS - first_state_s) / hop_s, 0, len(states) - 1)
    below = np.minimum(position.astype(int), max(len(states) - 2, 0))
    above = np.minimum(below + 1, len(states) - 1)
    weight = (position - below)[:, None].astype(states.dtype)
    return states[below] * (1 - weight) + states[above] * weight
