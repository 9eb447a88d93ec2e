"""Generated expression on a portrait's own eyes, brows and lips (LivePortrait calls it retargeting).

The model holds the eyes of every face as far open as those of its training faces are at rest, and their brows as
high. A portrait with larger eyes would look sleepy, one that is drawn with high brows would frown. So the openings of
the lids are stretched until those at rest are the portrait's own; a blink stays closed. Eyes are never narrowed: a
portrait that squints opens them. Brows keep half of how they differ from rest, because a bent brow may be the person
or a mood.

A model that minimises a squared error leaves some closures of p, b and m ajar by a pixel or two, and some blinks half
way, where the true films close (measured: benchmarks/RESULTS.md). So lips that nearly touch and lids that are more
than half shut go on to close.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.face.points import (
    BROW_LEFT,
    BROW_RIGHT,
    EYELID_LOWER_LEFT,
    EYELID_LOWER_RIGHT,
    EYELID_UPPER_LEFT,
    EYELID_UPPER_RIGHT,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    LIPS_OUTER_LOWER,
    LIPS_OUTER_UPPER,
    MOUTH,
    positions,
)
from models.motion.motion import Motion

UPPER, LOWER = positions(EYELID_UPPER_RIGHT + EYELID_UPPER_LEFT), positions(EYELID_LOWER_RIGHT + EYELID_LOWER_LEFT)
BROWS = positions(BROW_RIGHT + BROW_LEFT)
# columns of the lips from the right to the left, without the corners: inner and outer edge
UPPER_LIP, LOWER_LIP = positions(LIPS_INNER_UPPER[1:-1]), positions(LIPS_INNER_LOWER)
UPPER_RIM, LOWER_RIM = positions(LIPS_OUTER_UPPER[1:-1]), positions(LIPS_OUTER_LOWER)
_MOUTH = positions(MOUTH)
MAX_STRETCH = 1.8
UPPER_LID_SHARE = 0.75  # the upper lid moves most of the way
BROW_SHARE = 0.5
CLOSING = 0.025  # in face widths: lips nearer than this are drawn together
HELD_OPEN = 0.7  # of the opening at rest: a squint, and no blink
LID_CLOSING = 0.5  # of the opening at rest: lids nearer than this go on to close


def retarget(motion: Motion, portrait: Motion, rest: np.ndarray) -> Motion:
    """Generated motion, the portrait's own (T = 1), mean delta of the training clips [K, 3] -> fitted motion."""
    delta = motion.delta.copy()
    points = motion.x_c + motion.delta
    factor = lid_stretch(portrait, rest) * lid_closing(points, portrait, rest)  # [T, 1, 1]
    gap = (points[:, LOWER] - points[:, UPPER]) * (factor - 1)  # [T, 6, 3]
    delta[:, UPPER] -= UPPER_LID_SHARE * gap
    delta[:, LOWER] += (1 - UPPER_LID_SHARE) * gap
    delta[:, BROWS] += BROW_SHARE * (portrait.delta[0] - rest)[BROWS]
    inwards = lip_closing(points)
    delta[:, UPPER_LIP] += inwards
    delta[:, UPPER_RIM] += inwards
    delta[:, LOWER_LIP] -= inwards
    delta[:, LOWER_RIM] -= inwards
    return replace(motion, delta=delta)


def lid_stretch(portrait: Motion, rest: np.ndarray) -> float:
    """How much wider the portrait's eyes are open than the model would hold them at rest, 1 to `MAX_STRETCH`."""
    own, at_rest = _opening(portrait.x_c + portrait.delta[0]), _opening(portrait.x_c + rest)
    return float(np.clip(own / max(at_rest, 1e-6), 1, MAX_STRETCH))


def lid_closing(points: np.ndarray, portrait: Motion, rest: np.ndarray) -> np.ndarray:
    """Factor [T, 1, 1] of the lids' gap; points [T, K, 3] in the head's frame.

    With c = `LID_CLOSING` x the opening at rest an opening g below c becomes g^2 / c; crossed lids meet.
    """
    closing = max(LID_CLOSING * _opening(portrait.x_c + rest), 1e-6)
    return np.clip([_opening(face) / closing for face in points], 0, 1)[:, None, None]


def lip_closing(points: np.ndarray) -> np.ndarray:
    """How far either lip moves towards the other [T, 5, 3]; points [T, K, 3] in the head's frame.

    A gap g below `CLOSING` becomes g^2 / CLOSING; lips that are pressed together (g < 0) stay so.
    """
    gap = points[:, LOWER_LIP] - points[:, UPPER_LIP]
    down = gap[..., 1:2]
    return np.where(down > 0, np.clip(1 - down / CLOSING, 0, 1), 0) * gap / 2


def scaled_mouth(delta: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Delta [T, K, 3] of which the mouth's points are scaled by [T].

    x_c has its lips shut, so delta is the mouth's displacement from rest: an opening grows or shrinks, and lips that
    meet still do. Lips that are pressed into each other are pressed no deeper.
    """
    scaled = delta.astype(np.float64)
    scaled[:, _MOUTH] *= np.asarray(scale)[:, None, None]
    overlap, allowed = (np.minimum(d[:, LOWER_LIP, 1] - d[:, UPPER_LIP, 1], 0) for d in (scaled, delta))
    deeper = np.minimum(overlap - allowed, 0) / 2  # [T, 5]
    for upper, lower in ((UPPER_LIP, LOWER_LIP), (UPPER_RIM, LOWER_RIM)):
        scaled[:, upper, 1] += deeper
        scaled[:, lower, 1] -= deeper
    return scaled


def held_lids(x_c: np.ndarray, delta: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Delta [T, K, 3] whose lids are open by at least `HELD_OPEN` of what they are with the mean delta `rest` [K, 3]."""
    least = HELD_OPEN * ((x_c + rest)[LOWER] - (x_c + rest)[UPPER])[:, 1]  # [6]
    points = x_c + delta
    lift = np.maximum(least - (points[:, LOWER] - points[:, UPPER])[..., 1], 0)  # [T, 6]
    held = delta.astype(np.float64)
    held[:, UPPER, 1] -= UPPER_LID_SHARE * lift
    held[:, LOWER, 1] += (1 - UPPER_LID_SHARE) * lift
    return held


def _opening(points: np.ndarray) -> float:
    return float((points[LOWER, 1] - points[UPPER, 1]).mean())
