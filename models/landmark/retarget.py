"""Generated expression on a portrait's own eyes and brows (LivePortrait calls it retargeting).

The model holds the eyes of every face as far open as those of its training faces are at rest, and their brows as
high. A portrait with larger eyes would look sleepy, one that is drawn with high brows would frown. So the openings of
the lids are stretched until those at rest are the portrait's own; a blink stays closed. Eyes are never narrowed: a
portrait that squints opens them. Brows keep half of how they differ from rest, because a bent brow may be the person
or a mood.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.landmark.points import (
    BROW_LEFT,
    BROW_RIGHT,
    EYELID_LOWER_LEFT,
    EYELID_LOWER_RIGHT,
    EYELID_UPPER_LEFT,
    EYELID_UPPER_RIGHT,
    positions,
)
from models.motion import Motion

UPPER, LOWER = positions(EYELID_UPPER_RIGHT + EYELID_UPPER_LEFT), positions(EYELID_LOWER_RIGHT + EYELID_LOWER_LEFT)
BROWS = positions(BROW_RIGHT + BROW_LEFT)
MAX_STRETCH = 1.8
UPPER_LID_SHARE = 0.75  # the upper lid moves most of the way
BROW_SHARE = 0.5


def retarget(motion: Motion, portrait: Motion, rest: np.ndarray) -> Motion:
    """Generated motion, the portrait's own (T = 1), mean delta of the training clips [K, 3] -> fitted motion."""
    delta = motion.delta.copy()
    points = motion.x_c + motion.delta
    gap = (points[:, LOWER] - points[:, UPPER]) * (lid_stretch(portrait, rest) - 1)  # [T, 6, 3]
    delta[:, UPPER] -= UPPER_LID_SHARE * gap
    delta[:, LOWER] += (1 - UPPER_LID_SHARE) * gap
    delta[:, BROWS] += BROW_SHARE * (portrait.delta[0] - rest)[BROWS]
    return replace(motion, delta=delta)


def lid_stretch(portrait: Motion, rest: np.ndarray) -> float:
    """How much wider the portrait's eyes are open than the model would hold them at rest, 1 to `MAX_STRETCH`."""
    own, at_rest = _opening(portrait.x_c + portrait.delta[0]), _opening(portrait.x_c + rest)
    return float(np.clip(own / max(at_rest, 1e-6), 1, MAX_STRETCH))


def _opening(points: np.ndarray) -> float:
    return float((points[LOWER, 1] - points[UPPER, 1]).mean())
