"""Sync-C and Sync-D from SyncNet's vectors, and the face crop that they are defined on (syncnet_python).

The two streams are compared over 31 shifts of the sound. Sync-D is the smallest mean distance, Sync-C the median over
the shifts minus that; a positive offset means that the sound comes first.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.fft import dct
from scipy.signal import medfilt

from models.motion.clock import SAMPLE_RATE_HZ

SHIFT = 15
EPS = 1e-6  # added to every difference, as torch's pairwise distance does: the distance of equal vectors is not zero
CROP_SCALE, PAD_VALUE, SIDE_PX, MEDIAN = 0.4, 110, 224, 13


@dataclass(frozen=True)
class SyncScore:
    """Of one video."""

    confidence: float  # Sync-C
    distance: float  # Sync-D
    offset: int  # frames; above zero the sound leads


def sync_score(lips: np.ndarray, sound: np.ndarray) -> SyncScore:
    """Vectors of the same windows [N, D] each, N >= 1."""
    if lips.shape != sound.shape or len(lips) == 0:
        raise ValueError(f"lips and sound must be [N, D] with N >= 1, got {lips.shape} and {sound.shape}")
    padded = np.pad(sound, ((SHIFT, SHIFT), (0, 0)))
    means = np.array([np.linalg.norm(lips - padded[shift:shift + len(lips)] + EPS, axis=1).mean()
                      for shift in range(2 * SHIFT + 1)])
    best = int(means.argmin())
    return SyncScore(float(np.median(means) - means[best]), float(means[best]), SHIFT - best)


def face_crops(frames: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Frames [T, H, W, 3] and face boxes [T, 4] (left, top, right, bottom, px) -> crops [T, 224, 224, 3].

    Half the larger side of the box, and its centre, are smoothed by a median over 13 frames (zeros beyond the ends, as
    the published code has it); the crop goes 1 half side up, 1.8 down and 1.4 to both sides.
    """
    half = medfilt(np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) / 2, MEDIAN)
    x, y = (medfilt((boxes[:, side] + boxes[:, side + 2]) / 2, MEDIAN) for side in (0, 1))
    return np.stack([_crop(*values) for values in zip(frames, half, x, y, strict=True)])


def _crop(frame: np.ndarray, half: float, x: float, y: float) -> np.ndarray:
    pad = int(half * (1 + 2 * CROP_SCALE))
    wide = cv2.copyMakeBorder(frame, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(PAD_VALUE,) * 3)
    x, y = x + pad, y + pad
    rows = slice(int(y - half), int(y + half * (1 + 2 * CROP_SCALE)))
    columns = slice(int(x - half * (1 + CROP_SCALE)), int(x + half * (1 + CROP_SCALE)))
    return cv2.resize(wide[rows, columns], (SIDE_PX, SIDE_PX))


WINDOW, STEP, FFT = 400, 160, 512
FILTERS, CEPSTRA, LIFTER, PRE_EMPHASIS = 26, 13, 22, 0.97
TINY = np.finfo(np.float64).eps  # in place of a zero under a logarithm


def mfcc(waveform: np.ndarray) -> np.ndarray:
    """16 kHz mono in [-1, 1], float [N] -> [columns, 13], a column every 10 ms; a last partial window is padded."""
    sound = np.rint(np.clip(np.asarray(waveform, np.float64), -1.0, 32767 / 32768) * 32768)
    power = np.square(np.abs(np.fft.rfft(_windows(sound), FFT))) / FFT  # [columns, 257]
    energy = np.maximum(power.sum(1), TINY)
    filtered = np.maximum(power @ mel_filters().T, TINY)
    cepstra = dct(np.log(filtered), type=2, axis=1, norm="ortho")[:, :CEPSTRA]
    cepstra *= 1.0 + LIFTER / 2 * np.sin(np.pi * np.arange(CEPSTRA) / LIFTER)
    cepstra[:, 0] = np.log(energy)
    return cepstra


def mel_filters() -> np.ndarray:
    """Triangles [26, 257] between whole bins, evenly spaced in mel."""
    mel = np.linspace(0.0, 2595 * np.log10(1 + SAMPLE_RATE_HZ / 2 / 700), FILTERS + 2)
    edges = np.floor((FFT + 1) * 700 * (10 ** (mel / 2595) - 1) / SAMPLE_RATE_HZ)
    bins = np.arange(FFT // 2 + 1)
    filters = np.zeros((FILTERS, len(bins)))
    for index, (low, middle, high) in enumerate(zip(edges[:-2], edges[1:-1], edges[2:], strict=True)):
        up, down = (bins >= low) & (bins < middle), (bins >= middle) & (bins < high)
        filters[index, up] = (bins[up] - low) / (middle - low)
        filters[index, down] = (high - bins[down]) / (high - middle)
    return filters


def _windows(sound: np.ndarray) -> np.ndarray:
    """Pre-emphasised windows [columns, 400]."""
    emphasised = np.append(sound[:1], sound[1:] - PRE_EMPHASIS * sound[:-1])
    columns = 1 + max(0, -(-(len(sound) - WINDOW) // STEP))
    padded = np.pad(emphasised, (0, max(0, (columns - 1) * STEP + WINDOW - len(sound))))
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::STEP][:columns]
