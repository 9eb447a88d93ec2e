"""Facial actions (after the action units of FACS) as displacements of the key points, and emotions made of them.

An action is [70, 3] per unit, in face widths in the head's frame (y down). An emotion is a few actions at full
strength, how far it parts the lips, how it changes speech, and how the head is held. The action units that go with
each emotion are the usual ones (Ekman and Friesen, EMFACS); the amounts were set by eye and by an independent
classifier on rendered frames, of displacements as the model learns them: extraction sees 0.4 of a drawn brow, 0.3 of
a lid, 0.8 of mouth corners (docs/LOG.md#brows).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.face.points import (
    BROW_LEFT,
    BROW_RIGHT,
    CHEEKS,
    EYELID_LOWER_LEFT,
    EYELID_LOWER_RIGHT,
    EYELID_UPPER_LEFT,
    EYELID_UPPER_RIGHT,
    JAW,
    NUM_KEYPOINTS,
    positions,
)
from stages.corpora.mouth import LIPS, OUTER_LOWER, OUTER_UPPER, mouth_bow

_BROWS = (*BROW_RIGHT, *BROW_LEFT)  # each from the temple to the nose
_UP, _ACROSS = 1, 0


@dataclass(frozen=True)
class EmotionStyle:
    """`actions` in face widths at full strength; `parted` and `jaw` add to the mouth's opening (shares of a wide
    open vowel); `effort` scales the mouth, `rate`, `pitch`, `pitch_range` the voice; the head is held at angles.
    """

    actions: dict[str, float] = field(default_factory=dict)
    parted: float = 0.0
    jaw: float = 0.0
    effort: float = 1.0
    rate: float = 1.0
    pitch: float = 0.0
    pitch_range: float = 1.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0


EMOTIONS: dict[str, EmotionStyle] = {
    "neutral": EmotionStyle(),
    "angry": EmotionStyle({"brow_down": 0.090, "brow_inner_up": -0.026, "brow_outer_up": 0.026, "brow_in": 0.025,
                           "lid_low_up": 0.008, "lip_press": 0.011, "corner_down": 0.034, "nose_wrinkle": 0.010,
                           "chin_up": 0.010},
                          effort=1.15, rate=1.06, pitch=4, pitch_range=1.2, pitch_deg=-2.0),
    "contempt": EmotionStyle({"corner_left_up": 0.065, "lid_low_up": 0.006, "brow_left_up": 0.030,
                              "lid_up": -0.010},
                             effort=0.9, rate=0.97, pitch_range=0.9, pitch_deg=2.0, roll_deg=2.0),
    "disgusted": EmotionStyle({"nose_wrinkle": 0.050, "upper_lip_up": 0.075, "brow_down": 0.025,
                               "brow_outer_up": -0.025, "brow_in": 0.008, "lid_low_up": 0.032, "lid_up": -0.020,
                               "cheek_up": 0.034, "corner_down": 0.072},
                              parted=0.35, jaw=0.18, rate=0.95, pitch=-3, pitch_deg=1.0),
    "fear": EmotionStyle({"brow_inner_up": 0.072, "brow_outer_up": -0.012, "brow_in": 0.022, "lid_up": 0.028,
                          "corner_out": 0.040, "corner_down": 0.064, "upper_lip_up": 0.015},
                         parted=0.45, jaw=0.2, rate=1.06, pitch=8, pitch_range=1.1),
    "happy": EmotionStyle({"corner_up": 0.065, "corner_out": 0.050, "cheek_up": 0.030, "lid_low_up": 0.012},
                          parted=0.20, effort=1.1, rate=1.03, pitch=5, pitch_range=1.3, pitch_deg=1.0),
    "sad": EmotionStyle({"brow_inner_up": 0.078, "brow_in": 0.010, "brow_outer_up": -0.016, "lid_up": -0.024,
                         "corner_down": 0.059, "chin_up": 0.022, "corner_out": 0.045},
                        effort=0.8, rate=0.9, pitch=-6, pitch_range=0.7, pitch_deg=-3.0, roll_deg=-1.5),
    "surprised": EmotionStyle({"brow_inner_up": 0.080, "brow_outer_up": 0.080, "lid_up": 0.034,
                               "corner_out": -0.032},
                              parted=0.85, jaw=1.05, effort=1.15, pitch=7, pitch_range=1.3, pitch_deg=1.5),
}


def expression_displacement(rest: np.ndarray, style: EmotionStyle) -> np.ndarray:
    """Displacement [70, 3] of a resting face [70, 3] that shows an emotion at full strength, lips apart from it."""
    units = unit_actions(rest)
    moved = np.zeros((NUM_KEYPOINTS, 3))
    for action, amount in style.actions.items():
        moved += amount * units[action]
    return moved


def unit_actions(rest: np.ndarray) -> dict[str, np.ndarray]:
    """Every action by name, [70, 3] for the amount 1. None of them parts the inner lips."""
    return _brow_actions() | _lid_actions() | _mouth_actions(rest)


def _unit(indices: tuple[int, ...], axis: int, shares) -> np.ndarray:
    moved = np.zeros((NUM_KEYPOINTS, 3))
    moved[positions(tuple(indices)), axis] = shares
    return moved


def _brow_actions() -> dict[str, np.ndarray]:
    inner, outer, down = [0.0, 0.3, 0.85, 1.0], [0.9, 1.0, 0.5, 0.15], [0.15, 0.5, 0.95, 1.0]
    squeeze = np.array([0.1, 0.3, 0.8, 1.0])
    return {
        "brow_inner_up": -_unit(_BROWS, _UP, [*inner, *inner]),
        "brow_outer_up": -_unit(_BROWS, _UP, [*outer, *outer]),
        "brow_left_up": -_unit(BROW_LEFT, _UP, [0.9, 1.0, 0.8, 0.4]),
        "brow_down": _unit(_BROWS, _UP, [*down, *down]),
        "brow_in": _unit(_BROWS, _ACROSS, [*squeeze, *-squeeze]),
    }


def _lid_actions() -> dict[str, np.ndarray]:
    bend = [0.8, 1.0, 0.8]
    return {
        "lid_up": -_unit((*EYELID_UPPER_RIGHT, *EYELID_UPPER_LEFT), _UP, [*bend, *bend]),
        "lid_low_up": -_unit((*EYELID_LOWER_RIGHT, *EYELID_LOWER_LEFT), _UP, [*bend, *bend]),
        "cheek_up": -_unit(CHEEKS, _UP, [1.0, 1.0, 0.6, 0.6]),
        "nose_wrinkle": -_unit((129, 358, 2, 50, 280, 66, 107, 296, 336), _UP,
                               [1.0, 1.0, 0.4, 0.5, 0.5, -0.2, -0.3, -0.2, -0.3]),
    }


def _mouth_actions(rest: np.ndarray) -> dict[str, np.ndarray]:
    bow = mouth_bow(rest)
    right, left = rest[positions((61, 291)), 0]
    side = np.sign(rest[:, 0] - (right + left) / 2)
    edge = np.zeros(NUM_KEYPOINTS)
    edge[LIPS] = 1 - bow[LIPS]
    up, out, raised, pressed = (np.zeros((NUM_KEYPOINTS, 3)) for _ in range(4))
    up[:, 1], out[:, 0] = -edge, side * edge
    raised[LIPS, 1] = -0.25 * bow[LIPS]
    raised[OUTER_UPPER, 1] -= 0.75 * bow[OUTER_UPPER]
    pressed[OUTER_UPPER, 1], pressed[OUTER_LOWER, 1] = bow[OUTER_UPPER], -bow[OUTER_LOWER]
    left_side = (side > 0)[:, None]
    chin = -_unit(JAW[:2], _UP, [1.0, 0.9])
    chin[OUTER_LOWER, 1] = -0.4 * bow[OUTER_LOWER]
    return {
        "corner_up": up - _unit(CHEEKS, _UP, [0.25, 0.25, 0.5, 0.5]),
        "corner_down": -up,
        "corner_left_up": left_side * (up + 0.4 * out) - _unit((425,), _UP, 0.5),
        "corner_out": out + _unit((205, 425), _ACROSS, [-0.5, 0.5]),
        "upper_lip_up": raised - _unit((129, 358), _UP, [0.3, 0.3]),
        "lip_press": pressed,
        "chin_up": chin,
    }
