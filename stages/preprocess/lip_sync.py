"""Whether lips and sound belong together, by SyncNet where its weights are at hand (models/judges/sync_score.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from models.face.driving_crop import Square


class LipSync:
    """SyncNet's verdict on one piece. `vectors`: its two networks (`models.judges.syncnet.SyncVectors`)."""

    def __init__(self, vectors: Any):
        self._vectors = vectors

    def __call__(self, crops: np.ndarray, boxes: np.ndarray, waveform: np.ndarray) -> dict[str, float]:
        """crops [T, H, W, 3], face boxes in them [T, 4], waveform [640 T] at 16 kHz -> columns of the clip table.

        The offset keeps its sign: above zero the sound comes first, by so many frames.
        """
        from models.judges.sync_score import (
            face_crops,
            mfcc,  # here: scipy.signal costs every worker's start a second
            sync_score,
        )

        lips = self._vectors.lips(face_crops(crops, boxes))
        found = sync_score(lips, self._vectors.sound(mfcc(waveform), len(crops)))
        return {"sync_confidence": found.confidence, "sync_offset_frames": float(found.offset)}


def load_lip_sync(model: Path, device: str = "cpu") -> LipSync:
    """From the published weights (`syncnet_v2.model`), on `device`."""
    from models.judges.syncnet import SyncVectors

    return LipSync(SyncVectors(model, device))


def boxes_in_crop(boxes: np.ndarray, square: Square, size_px: int) -> np.ndarray:
    """Boxes [T, 4] of the source picture -> of the square cut out of it and scaled to `size_px`."""
    corner = np.array([square.x, square.y]) - square.side / 2
    return (boxes - np.tile(corner, 2)) * size_px / square.side
