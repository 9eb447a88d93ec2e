"""Sync-C and Sync-D from SyncNet's vectors, and the face crop that they are defined on (syncnet_python).

The two streams are compared over 31 shifts of the sound. Sync-D is the smallest mean distance, Sync-C the median over
the shifts minus that; a positive offset means that the sound comes first.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.signal import medfilt

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
