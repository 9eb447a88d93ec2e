"""Generated expression on a portrait's own eyes, brows and lips, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.face.points import NUM_KEYPOINTS
from models.landmark.retarget import (
    BROWS,
    CLOSING,
    LID_CLOSING,
    LOWER,
    LOWER_LIP,
    LOWER_RIM,
    UPPER,
    UPPER_LIP,
    UPPER_RIM,
    lid_stretch,
    retarget,
)
from models.motion.motion import Motion

ZERO = np.zeros((NUM_KEYPOINTS, 3), np.float32)


def motion(*openings: float, face: np.ndarray = ZERO) -> Motion:
    """Eyes `openings` wide, a frame each, between lids that lie at y = 0 in x_c."""
    delta = np.zeros((len(openings), NUM_KEYPOINTS, 3), np.float32)
    delta[:, LOWER, 1] = np.array(openings)[:, None]
    still = np.zeros((len(openings), 3), np.float32)
    return Motion(face, delta, still, still, still[:, :1] + 1)


def openings(made: Motion) -> np.ndarray:
    return made.delta[:, LOWER, 1] - made.delta[:, UPPER, 1]


def test_lids_open_as_far_as_the_portraits_own_at_rest_and_blinks_stay_closed():
    """The portrait's eyes are open 0.06, at rest the model holds them 0.05 open: all openings grow by 1.2."""
    rest = motion(0.05).delta[0]
    made = retarget(motion(0.05, 0.0, 0.04), motion(0.06), rest)
    np.testing.assert_allclose(openings(made), np.array([[0.06], [0.0], [0.048]]).repeat(6, 1), atol=1e-7)
    np.testing.assert_allclose(made.delta[0, UPPER, 1], -0.75 * 0.01, atol=1e-7)  # most of it by the upper lid


@pytest.mark.parametrize(("own", "stretch"), [(0.03, 1.0), (0.05, 1.0), (0.075, 1.5), (0.5, 1.8)])
def test_eyes_are_never_narrowed_and_never_torn_open(own, stretch):
    assert lid_stretch(motion(own), motion(0.05).delta[0]) == pytest.approx(stretch)


@pytest.mark.parametrize(("gap", "closed"), [(0, 0), (0.5, 0.25), (0.1, 0.01), (1, 1), (1.2, 1.2), (-0.4, 0)])
def test_blinks_that_stop_half_way_close(gap, closed):
    """Openings in units of `LID_CLOSING` of the one at rest: g becomes g^2 below 1."""
    unit = LID_CLOSING * 0.05
    made = retarget(motion(gap * unit), motion(0.05), motion(0.05).delta[0])
    np.testing.assert_allclose(openings(made), closed * unit, atol=1e-8)


def test_half_of_a_bent_brow_stays():
    portrait, rest = motion(0.05), motion(0.05).delta[0]
    portrait.delta[0, BROWS, 1] = -0.04
    made = retarget(motion(0.05, 0.05), portrait, rest)
    np.testing.assert_allclose(made.delta[:, BROWS, 1], -0.02, atol=1e-8)


@pytest.mark.parametrize(("gap", "closed"), [(0, 0), (0.5, 0.25), (0.1, 0.01), (1, 1), (3, 3), (-0.4, -0.4)])
def test_lips_that_nearly_touch_close(gap, closed):
    """Gaps in units of `CLOSING`: g becomes g^2 below 1; both lips go half of the way, their rims with them."""
    given = motion(0.05)
    given.delta[:, LOWER_LIP, 1], given.delta[:, LOWER_RIM, 1] = gap * CLOSING, gap * CLOSING + 0.05
    given.delta[:, UPPER_RIM, 1] = -0.05
    made = retarget(given, motion(0.05), motion(0.05).delta[0]).delta[0]
    np.testing.assert_allclose(made[LOWER_LIP, 1] - made[UPPER_LIP, 1], closed * CLOSING, atol=1e-8)
    np.testing.assert_allclose(made[UPPER_LIP, 1], (gap - closed) / 2 * CLOSING, atol=1e-8)
    np.testing.assert_allclose(made[LOWER_RIM, 1] - made[LOWER_LIP, 1], 0.05, atol=1e-7)
    np.testing.assert_allclose(made[UPPER_LIP, 1] - made[UPPER_RIM, 1], 0.05, atol=1e-7)


def test_nothing_else_moves_and_the_generated_motion_is_not_changed():
    given = motion(0.05, 0.01)
    before = given.delta.copy()
    portrait = motion(0.09)
    portrait.delta[0, :, 0] = 0.3
    made = retarget(given, portrait, motion(0.05).delta[0])
    others = np.setdiff1d(np.arange(NUM_KEYPOINTS), np.concatenate([UPPER, LOWER, BROWS]))
    assert np.array_equal(made.delta[:, others], before[:, others]) and np.array_equal(given.delta, before)
    assert np.array_equal(made.rho, given.rho)
