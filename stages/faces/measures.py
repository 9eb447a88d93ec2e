"""What is measured of a crop and of a face's track. Thresholds are elsewhere (`quality.py`)."""

from __future__ import annotations

import cv2
import numpy as np

from models.detectors import Face


def blur(crop: np.ndarray) -> float:
    """Variance of the Laplacian of a crop [H, W, 3] uint8 RGB; low for blurred pictures."""
    return float(cv2.Laplacian(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def brightness(crop: np.ndarray) -> float:
    """Mean luma 0-255."""
    return float(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).mean())


def score_p05(faces: list[Face]) -> float:
    """5th percentile of the detector's certainty over a track: a hand or a microphone before a face lowers it."""
    return float(np.percentile([face.score for face in faces], 5))


def inside_share(faces: list[Face], width_px: int, height_px: int) -> float:
    """5th percentile over a track of the share of the face's box that lies inside the picture."""
    return float(np.percentile([_inside(face.box, width_px, height_px) for face in faces], 5))


def _inside(box: np.ndarray, width_px: int, height_px: int) -> float:
    sides = np.clip(box[2:], 0, [width_px, height_px]) - np.clip(box[:2], 0, [width_px, height_px])
    return float(np.prod(sides) / np.prod(box[2:] - box[:2]))
