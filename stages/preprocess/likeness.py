"""Fingerprints by which the same recording is known again after another encoding, size or loudness.

Pictures: the difference hash (is a cell of a 9 x 8 grey picture brighter than the next one) of eight moments.
Sound: signs of how band energies change from moment to moment, after Haitsma and Kalker, "A highly robust audio
fingerprinting system" (ISMIR 2002), with windows that are shares of the clip.
"""

from __future__ import annotations

import cv2
import numpy as np

MOMENTS = 8                 # 64 bits each
WINDOWS, BANDS = 33, 17     # 32 x 16 bits
LOW_HZ, HIGH_HZ = 300.0, 3000.0


def moments(frames: int) -> list[int]:
    """The frames of a piece whose pictures are hashed: the middles of eight equal parts."""
    return [(2 * part + 1) * frames // (2 * MOMENTS) for part in range(MOMENTS)]


def picture_hash(crop: np.ndarray) -> str:
    """crop [H, W, 3] uint8 RGB -> 16 hex digits."""
    small = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (9, 8), interpolation=cv2.INTER_AREA).astype(np.int16)
    return _hex(small[:, 1:] > small[:, :-1])


def sound_hash(waveform: np.ndarray, rate_hz: int) -> str:
    """waveform [N] float32 -> 128 hex digits; raises ValueError for less than 33 windows of 64 samples."""
    length = len(waveform) // WINDOWS
    if length < 64:
        raise ValueError(f"{len(waveform)} samples are too few for a fingerprint")
    windows = waveform[:WINDOWS * length].reshape(WINDOWS, length)
    power = np.abs(np.fft.rfft(windows)) ** 2                               # [33, length / 2 + 1]
    edges = np.geomspace(LOW_HZ, HIGH_HZ, BANDS + 1) * length / rate_hz
    total = np.concatenate([np.zeros((WINDOWS, 1)), np.cumsum(power, axis=1)], axis=1)
    bands = np.diff(total[:, np.minimum(np.round(edges).astype(int), total.shape[1] - 1)], axis=1)
    steps = np.diff(np.log(bands + 1e-6), axis=1)                           # [33, 16] from band to band
    return _hex(np.diff(steps, axis=0) > 0)


def different_share(a: str, b: str) -> float:
    """Share of different bits of two hex strings; 1 where they are not of one length."""
    return (int(a, 16) ^ int(b, 16)).bit_count() / (4 * len(a)) if len(a) == len(b) else 1.0


def _hex(bits: np.ndarray) -> str:
    return np.packbits(bits.reshape(-1)).tobytes().hex()
