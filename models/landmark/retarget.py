"""Generated expression on a portrait's own eyes, brows and lips (LivePortrait calls it retargeting).

The model holds the eyes of every face as far open as those of its training faces are at rest, and their brows as
high. A portrait with larger eyes would look sleepy, one that is drawn with high brows would frown. So the openings of
the lids are stretched until those at rest are the portrait's own; a blink stays closed. Eyes are never narrowed: a
portrait that squints opens them. Brows keep half of how they differ from rest, because a bent brow may be the person
or a mood.

Key points know only part of what brows do: the pose of the head and the network that finds landmarks take some of it.
Two films in which brows move far, drawn again from their own motion, show 0.8 of it (docs/LOG.md#brows). So brows go
1.3 times as far from rest as the model says.

A face that smiles in its picture smiles on while it talks: its mouth is up to half as wide again as one at rest, and
pulled together to that it looks torn (corners full of folds, teeth cut by the lips). The smile gives way where the
generated mouth is as wide itself, as a happy one is, and where the face is in another mood: its corners hang, as a sad
one's do, or its brows are drawn down, as an angry one's are.

A face that is turned aside in its picture has a half that nobody has seen: turned back to the front it would show a
band of what lies behind it. It may turn further away, and back hardly.

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
    CHEEKS,
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
from models.landmark.shutting import shut_lips
from models.motion.motion import Motion

UPPER, LOWER = positions(EYELID_UPPER_RIGHT + EYELID_UPPER_LEFT), positions(EYELID_LOWER_RIGHT + EYELID_LOWER_LEFT)
BROWS = positions(BROW_RIGHT + BROW_LEFT)
INNER_BROWS = positions(BROW_RIGHT[2:] + BROW_LEFT[2:])  # each brow's points go from the temple to the nose
# columns of the lips from the right to the left, without the corners: inner and outer edge
UPPER_LIP, LOWER_LIP = positions(LIPS_INNER_UPPER[1:-1]), positions(LIPS_INNER_LOWER)
UPPER_RIM, LOWER_RIM = positions(LIPS_OUTER_UPPER[1:-1]), positions(LIPS_OUTER_LOWER)
MAX_STRETCH = 1.8
UPPER_LID_SHARE = 0.75  # the upper lid moves most of the way
BROW_SHARE = 0.5
BROW_GAIN = 1.3
CLOSING = 0.025  # in face widths: lips nearer than this are drawn together
LID_CLOSING = 0.5  # of the opening at rest: lids nearer than this go on to close
SMILING = positions(LIPS_OUTER_UPPER + LIPS_OUTER_LOWER + LIPS_INNER_UPPER + LIPS_INNER_LOWER + CHEEKS)
CORNERS = positions((LIPS_OUTER_UPPER[0], LIPS_OUTER_UPPER[-1]))
SMILE_SHARE = 0.6
SMILE_FROM, SMILE_FULL = 1.1, 1.25  # mouth's width over that at rest; twenty faces that do not smile: up to 1.1
TURNED_DEG = (25.0, 40.0)  # yaw of the picture from which a head is held, and at which no more than
TURNED_SHARE = 0.15        # of its turns towards the front are left
# corners and the inner halves of brows below rest, face widths: neutral speech keeps within the first, sad mouths reach
# 0.05, the brows of anger 0.016 to 0.03
HANGING, FROWNING = (0.01, 0.05), (0.008, 0.02)
MOOD_SHARE = 0.7  # of the smile gives way to another mood; all of it would show the torn mouth again


def retarget(motion: Motion, portrait: Motion, rest: np.ndarray) -> Motion:
    """Generated motion, the portrait's own (T = 1), mean delta of the training clips [K, 3] -> fitted motion."""
    delta = motion.delta.copy()
    points = motion.x_c + motion.delta
    factor = lid_stretch(portrait, rest) * lid_closing(points, portrait, rest)  # [T, 1, 1]
    gap = (points[:, LOWER] - points[:, UPPER]) * (factor - 1)  # [T, 6, 3]
    delta[:, UPPER] -= UPPER_LID_SHARE * gap
    delta[:, LOWER] += (1 - UPPER_LID_SHARE) * gap
    delta[:, BROWS] += (BROW_GAIN - 1) * (motion.delta - rest)[:, BROWS]
    delta[:, BROWS] += BROW_SHARE * (portrait.delta[0] - rest)[BROWS]
    delta[:, SMILING] += keep_smile(points, portrait, rest)
    inwards = lip_closing(points)
    delta[:, UPPER_LIP] += inwards
    delta[:, UPPER_RIM] += inwards
    delta[:, LOWER_LIP] -= inwards
    delta[:, LOWER_RIM] -= inwards
    angles_deg = motion.angles_deg.copy()
    angles_deg[:, 1] = hold_yaw(angles_deg[:, 1], float(portrait.angles_deg[0, 1]))
    return replace(motion, delta=delta, angles_deg=angles_deg)


def hold_yaw(yaw_deg: np.ndarray, own_deg: float) -> np.ndarray:
    """Generated yaw [T] of a face whose picture has `own_deg`: less of what turns it towards the front."""
    turn = yaw_deg - own_deg
    turned = np.clip((abs(own_deg) - TURNED_DEG[0]) / (TURNED_DEG[1] - TURNED_DEG[0]), 0, 1)
    return own_deg + np.where(turn * own_deg < 0, 1 - turned * (1 - TURNED_SHARE), 1) * turn


def keep_smile(points: np.ndarray, portrait: Motion, rest: np.ndarray) -> np.ndarray:
    """What the portrait's own smile adds to generated points [T, K, 3] -> [T, len(SMILING), 3]; it opens no lips."""
    own, at_rest = (_shut(portrait.x_c + delta) for delta in (portrait.delta[0], rest))
    own_width, rest_width = _width(own), _width(at_rest)
    if own_width <= SMILE_FROM * rest_width:
        return np.zeros((len(points), len(SMILING), 3))
    smiles = min((own_width / rest_width - SMILE_FROM) / (SMILE_FULL - SMILE_FROM), 1)
    narrower = np.clip((own_width - _width(points)) / (own_width - rest_width), 0, 1)
    mood = np.maximum(_lowered(points, at_rest, CORNERS, HANGING), _lowered(points, at_rest, INNER_BROWS, FROWNING))
    held = 1 - MOOD_SHARE * mood
    return (SMILE_SHARE * smiles * narrower * held)[:, None, None] * (own - at_rest)[SMILING]


def _lowered(points: np.ndarray, at_rest: np.ndarray, rows: np.ndarray, between: tuple[float, float]) -> np.ndarray:
    """How far [T], 0 to 1, rows of points [T, K, 3] lie below those at rest [K, 3] (face widths)."""
    below = points[:, rows, 1].mean(1) - at_rest[rows, 1].mean()
    return np.clip((below - between[0]) / (between[1] - between[0]), 0, 1)


def _shut(face: np.ndarray) -> np.ndarray:
    return face + shut_lips(face[None], np.ones(1))[0]


def _width(points: np.ndarray) -> np.ndarray:
    """Between the corners of the mouth, of points [..., K, 3]."""
    return np.linalg.norm(points[..., CORNERS[1], :] - points[..., CORNERS[0], :], axis=-1)


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


def _opening(points: np.ndarray) -> float:
    return float((points[LOWER, 1] - points[UPPER, 1]).mean())
