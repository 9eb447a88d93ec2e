"""The resting face of a portrait: its own shape without the expression that it was photographed with.

Where expression moves the face (mouth, brows, lids, cheeks, chin), the portrait's canonical points are drawn
towards the canonical face of the landmarker, which is neutral; the rest stays the person's own. Lips are closed.
All points are in the head's frame in units of the face's width (jaw hinge to jaw hinge).
"""

from __future__ import annotations

import numpy as np

from models.landmark.points import GROUPS, NUM_KEYPOINTS, positions

# how far each group is drawn to the canonical face; the eye's own opening and the lips' own fullness stay in part
_DRAWN = {"lips_outer_upper": 0.85, "lips_outer_lower": 0.85, "lips_inner_upper": 0.9, "lips_inner_lower": 0.9,
          "brow_right": 0.85, "brow_left": 0.85, "cheeks": 0.6, "jaw": 0.5, "eyelid_upper_right": 0.2,
          "eyelid_upper_left": 0.2, "eyelid_lower_right": 0.2, "eyelid_lower_left": 0.2}
_PARTED_PAIRS = ((80, 88), (82, 87), (13, 14), (312, 317), (310, 318))  # inner upper lip above inner lower lip


def neutral_face(x_c: np.ndarray, canonical: np.ndarray) -> np.ndarray:
    """x_c [70, 3] of a portrait with some expression, canonical face's key points [70, 3] -> resting face [70, 3]."""
    share = np.zeros((NUM_KEYPOINTS, 1))
    for group, drawn in _DRAWN.items():
        share[positions(GROUPS[group])] = drawn
    return closed_lips(x_c + share * (canonical - x_c))


def closed_lips(x_c: np.ndarray) -> np.ndarray:
    """The same face with its inner lips meeting half way; the outer lips follow, so that fullness stays."""
    closed = x_c.copy()
    half_gap = np.zeros(3)
    for upper, lower in _PARTED_PAIRS:
        rows = positions((upper, lower))
        half_gap = half_gap + (x_c[rows[1]] - x_c[rows[0]]) / 2 / len(_PARTED_PAIRS)
        closed[rows] = x_c[rows].mean(0)
    closed[positions(GROUPS["lips_outer_upper"][1:-1])] += 0.7 * half_gap
    closed[positions(GROUPS["lips_outer_lower"])] -= 0.7 * half_gap
    return closed
