"""Geometry of found faces: the box that crops are cut by, and the yaw, from what detectors give.

The landmark box reaches from brows to chin and temple to temple; LivePortrait's crop rule is written for it, that of
InsightFace's 106 landmarks. SCRFD's own box reaches up to the hairline; over 109 pictures of 17 people the landmark box
is 0.765 of its larger side (standard deviation 0.04), its centre 0.118 of it lower (0.02).
"""

from __future__ import annotations

import numpy as np

from models.face.source_crop import eyes_and_lips, face_rect

LANDMARK_SIDE, LANDMARK_DOWN = 0.765, 0.118   # landmark box in terms of SCRFD's larger side
# half eye distance over the nose tip's depth; fitted on the same 109 pictures: r 0.97, at most 7 degrees off
YAW_SLOPE = 0.82


def landmark_box(box: np.ndarray) -> np.ndarray:
    """SCRFD's box [4] -> the landmark box [4], a square."""
    side = np.max(box[2:] - box[:2])
    centre = (box[:2] + box[2:]) / 2 + [0.0, LANDMARK_DOWN * side]
    half = LANDMARK_SIDE * side / 2
    return np.concatenate([centre - half, centre + half])


def outline_box(points: np.ndarray) -> np.ndarray:
    """Landmarks [106, 2] -> the landmark box [4] as LivePortrait takes it: a square as large as the face is along its
    own axes, so that a head that leans is not given a larger one."""
    rect = face_rect(points, *eyes_and_lips(points), scale=1.0, shift_y=0.0)
    return np.concatenate([rect.centre - rect.side / 2, rect.centre + rect.side / 2])


def yaw_deg(points: np.ndarray) -> float:
    """Head yaw in degrees from five points [5, 2], positive when the nose turns to the picture's right.

    With the eyes at +-e and the nose tip n in front of their plane, yaw moves the nose by n sin(yaw) along the eye line
    and shrinks half the eye distance to e cos(yaw), so tan(yaw) = (e / n) x (nose shift / half eye distance).
    """
    left, right, nose = np.asarray(points, np.float64)[:3]
    half = (right - left) / 2
    length = np.hypot(*half)
    if length < 1e-6:
        return 90.0
    shift = (nose - (left + right) / 2) @ half / length
    return float(np.degrees(np.arctan(YAW_SLOPE * shift / length)))


def roll_deg(points: np.ndarray) -> float:
    """Roll of a face in degrees from five points [5, 2], 0 upright, 90 where its forehead points to the right: a
    quarter turn to the left puts it upright."""
    eyes, mouth = np.asarray(points, np.float64)[:2].mean(axis=0), np.asarray(points, np.float64)[3:].mean(axis=0)
    up = eyes - mouth
    return float(np.degrees(np.arctan2(up[0], -up[1])))
