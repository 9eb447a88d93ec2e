"""Irises of a resting face: displacements [T, 70, 3] in face widths in the head's frame."""

from __future__ import annotations

import numpy as np

from models.face.points import IRISES, NUM_KEYPOINTS, positions


def turn_irises(gaze: np.ndarray) -> np.ndarray:
    """Displacement of irises for gaze [T, 2] in face widths."""
    moved = np.zeros((len(gaze), NUM_KEYPOINTS, 3))
    moved[:, positions(IRISES), :2] += gaze[:, None]
    return moved
