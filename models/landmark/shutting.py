"""Lids that shut and lips that meet: displacements [T, 70, 3] in face widths in the head's frame; and edges that may
touch but not cross."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.face.points import (
    EYELID_LOWER_LEFT,
    EYELID_LOWER_RIGHT,
    EYELID_UPPER_LEFT,
    EYELID_UPPER_RIGHT,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    LIPS_OUTER_LOWER,
    LIPS_OUTER_UPPER,
    positions,
)

_LIDS = tuple((positions(upper), positions(lower)) for upper, lower in (
    (EYELID_UPPER_RIGHT, EYELID_LOWER_RIGHT), (EYELID_UPPER_LEFT, EYELID_LOWER_LEFT)))
UPPER_SHARE = 0.92  # of a blink is the upper lid's


def uncross(face: np.ndarray, pairs: Sequence[tuple[Sequence[int], Sequence[int]]], down: np.ndarray) -> np.ndarray:
    """Face points [468, 3] of which no edge crosses its opposite: where one would, both meet halfway along `down` [2].

    `pairs`: upper and lower contours with shared ends.
    """
    down = down / np.linalg.norm(down)
    face = face.copy()
    for upper, lower in pairs:
        above, below = list(upper[1:-1]), list(lower[1:-1])
        overlap = np.minimum((face[below, :2] - face[above, :2]) @ down, 0)[:, None] * down
        face[above, :2] += overlap / 2
        face[below, :2] -= overlap / 2
    return face


def shut_lids(points: np.ndarray, closed: np.ndarray) -> np.ndarray:
    """Displacement that shuts the lids of `points` [T, 70, 3] by `closed` [T] from 0 (as they are) to 1 (shut)."""
    moved = np.zeros_like(points)
    for upper, lower in _LIDS:
        gap = points[:, lower] - points[:, upper]
        moved[:, upper] += UPPER_SHARE * closed[:, None, None] * gap
        moved[:, lower] -= (1 - UPPER_SHARE) * closed[:, None, None] * gap
    return moved


def shut_lips(points: np.ndarray, closed: np.ndarray) -> np.ndarray:
    """Displacement that brings the inner lips of `points` [T, 70, 3] together by `closed` [T], each half of the way.

    Lips that are pressed into each other come back to where they touch.
    """
    moved = np.zeros_like(points)
    upper, lower = positions(LIPS_INNER_UPPER[1:-1]), positions(LIPS_INNER_LOWER)
    half = closed[:, None, None] * (points[:, lower] - points[:, upper]) / 2
    for rows in (upper, positions(LIPS_OUTER_UPPER[1:-1])):
        moved[:, rows] += half
    for rows in (lower, positions(LIPS_OUTER_LOWER)):
        moved[:, rows] -= half
    return moved
