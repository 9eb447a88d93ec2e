"""From mouth controls to key points: what speech does to lips, chin and cheeks of a resting face.

Displacements are [T, 70, 3] in the head's frame, in face widths (x right of the viewer, y down, z away from the
viewer). The inner-lip gap in the middle of the mouth is `opening * WIDE_OPEN` exactly, so it is the true opening.
"""

from __future__ import annotations

import numpy as np

from models.face.points import (
    CHEEKS,
    JAW,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    LIPS_OUTER_LOWER,
    LIPS_OUTER_UPPER,
    NUM_KEYPOINTS,
    positions,
)
from stages.corpora.visemes import MouthCurves

WIDE_OPEN = 0.115  # inner-lip gap of a wide open vowel
UPPER = positions((*LIPS_OUTER_UPPER, *LIPS_INNER_UPPER))
LOWER = positions((*LIPS_OUTER_LOWER, *LIPS_INNER_LOWER))
LIPS = np.concatenate([UPPER, LOWER])
OUTER_UPPER, OUTER_LOWER = positions(LIPS_OUTER_UPPER[1:-1]), positions(LIPS_OUTER_LOWER)
CORNERS = positions((61, 78, 291, 308))


def mouth_bow(rest: np.ndarray) -> np.ndarray:
    """Share [70] of each lip point in what the middle of the lips does: 1 in the middle, 0 at the corners."""
    right, left = rest[positions((61, 291)), 0]
    across = (rest[:, 0] - (right + left) / 2) / ((left - right) / 2)
    bow = np.zeros(NUM_KEYPOINTS)
    bow[LIPS] = np.clip(1 - across[LIPS] ** 2, 0.0, 1.0)
    bow[CORNERS] = 0.0
    middle = positions((0, 17, 13, 14))
    bow[middle] = 1.0
    return bow


def mouth_opening(points: np.ndarray) -> np.ndarray:
    """Inner-lip gap [T] of head-frame key points [T, 70, 3]."""
    upper, lower = positions((13, 14))
    return points[:, lower, 1] - points[:, upper, 1]


def speech_displacement(rest: np.ndarray, mouth: MouthCurves) -> np.ndarray:
    """Displacement [T, 70, 3] of a resting face `rest` [70, 3] that makes `mouth` (curves of T times)."""
    bow = mouth_bow(rest)
    moved = _open(bow, mouth)
    moved[:, LIPS, 0] += _stretch(mouth)[:, None] * (rest[LIPS, 0] - rest[CORNERS, 0].mean())
    pucker, press, tuck = (curve[:, None] for curve in (mouth.pucker, mouth.press, mouth.tuck))
    moved[:, LIPS, 2] -= 0.05 * pucker * bow[LIPS]
    moved[:, OUTER_UPPER, 1] += (0.010 * press - 0.012 * pucker) * bow[OUTER_UPPER]
    moved[:, OUTER_LOWER, 1] += (-0.012 * press + 0.014 * pucker - 0.022 * tuck) * bow[OUTER_LOWER]
    moved[:, LIPS, 1] -= 0.012 * tuck * bow[LIPS]
    moved[:, positions(LIPS_INNER_LOWER), 2] += 0.02 * tuck * bow[positions(LIPS_INNER_LOWER)]
    return moved


def _open(bow: np.ndarray, mouth: MouthCurves) -> np.ndarray:
    """Lips parted by the opening, chin dropped by the jaw, cheeks and corners drawn along."""
    moved = np.zeros((len(mouth.opening), NUM_KEYPOINTS, 3))
    gap, drop = mouth.opening[:, None] * WIDE_OPEN, mouth.jaw[:, None] * WIDE_OPEN
    moved[:, UPPER, 1] -= 0.18 * gap * bow[UPPER]
    moved[:, LOWER, 1] += 0.82 * gap * bow[LOWER]
    moved[:, positions(JAW), 1] += 0.85 * drop * np.array([1.0, 0.95, 0.3, 0.3])
    moved[:, positions(JAW), 2] += 0.2 * drop * np.array([1.0, 0.8, 0.2, 0.2])
    moved[:, positions(CHEEKS), 1] += 0.2 * drop * np.array([0.3, 0.3, 1.0, 1.0])
    moved[:, CORNERS, 1] += 0.25 * drop
    return moved


def _stretch(mouth: MouthCurves) -> np.ndarray:
    """Relative change of the mouth's width [T]: spread, rounded, and a little narrower when open."""
    return 0.10 * mouth.width - 0.26 * mouth.pucker - 0.05 * mouth.opening
