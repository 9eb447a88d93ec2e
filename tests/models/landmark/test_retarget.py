"""Generated expression on a portrait's own eyes, brows and lips, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.face.points import NUM_KEYPOINTS
from models.landmark.retarget import (
    BROWS,
    CLOSING,
    CORNERS,
    INNER_BROWS,
    LID_CLOSING,
    LOWER,
    LOWER_LIP,
    LOWER_RIM,
    SMILING,
    UPPER,
    UPPER_LIP,
    UPPER_RIM,
    hold_yaw,
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


def test_brows_go_further_from_rest_than_the_key_points_say():
    rest = motion(0.05).delta[0]
    rest[BROWS, 1] = 0.01
    given, portrait = motion(0.05, 0.05, 0.05), motion(0.05)
    given.delta[:, BROWS, 1] = np.array([0.01, -0.02, 0.04])[:, None]   # at rest, 0.03 up, 0.03 down: times 1.3
    portrait.delta[0, BROWS, 1] = 0.01                                  # its own are as those at rest
    drawn = retarget(given, portrait, rest).delta[:, BROWS, 1]
    np.testing.assert_allclose(drawn, np.array([[0.01], [-0.029], [0.049]]).repeat(len(BROWS), 1), atol=1e-7)


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


def mouth(width: float, *, hanging: float = 0.0, gap: float = 0.0) -> np.ndarray:
    """A face [K, 3] of nothing but lips: corners `width` apart and `hanging` low, inner lips `gap` apart."""
    face = np.zeros((NUM_KEYPOINTS, 3), np.float32)
    face[CORNERS] = [[-width / 2, hanging, 0], [width / 2, hanging, 0]]
    face[LOWER_LIP, 1] += gap
    return face


def smiling(made: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Retargeted lips of generated `made` on a portrait that looks like `own`; at rest a mouth is 0.3 wide."""
    still = np.zeros((1, 3), np.float32)
    drawn = retarget(Motion(ZERO, made[None], still, still, still[:, :1] + 1),
                     Motion(ZERO, own[None], still, still, still[:, :1] + 1), mouth(0.3))
    return drawn.delta[0]


@pytest.mark.parametrize(("own", "made", "width"), [
    (0.33, 0.30, 0.30),                # a tenth wider is no smile
    (0.42, 0.30, 0.30 + 0.6 * 0.12),   # a broad one stays in its larger part
    (0.42, 0.26, 0.26 + 0.6 * 0.12),   # an o on it
    (0.42, 0.36, 0.36 + 0.3 * 0.12),  # half of the way is done by the generated mouth
    (0.42, 0.45, 0.45),                # a happy mouth is wide itself
    (0.3525, 0.30, 0.30 + 0.3 * 0.0525),  # half way from 1.1 to 1.25 of the mouth at rest
])
def test_a_smile_in_the_portrait_stays(own, made, width):
    drawn = smiling(mouth(made), mouth(own))
    assert drawn[CORNERS[1], 0] - drawn[CORNERS[0], 0] == pytest.approx(width, abs=1e-6)


def test_a_smile_gives_way_to_hanging_corners_and_opens_no_lips():
    drawn = smiling(mouth(0.3, hanging=0.03, gap=0.05), mouth(0.42, gap=0.04))
    # half way from 0.01 to 0.05: 0.35 of it go; the width of hanging corners is that of level ones
    assert drawn[CORNERS[1], 0] - drawn[CORNERS[0], 0] == pytest.approx(0.3 + 0.6 * 0.65 * 0.12, abs=1e-6)
    assert drawn[LOWER_LIP, 1] - drawn[UPPER_LIP, 1] == pytest.approx(np.full(5, 0.05), abs=1e-6)
    outside = np.setdiff1d(np.arange(NUM_KEYPOINTS), SMILING)
    np.testing.assert_array_equal(drawn[outside], mouth(0.3, hanging=0.03)[outside])


@pytest.mark.parametrize(("below", "held"), [(0.0, 1.0), (0.008, 1.0), (0.014, 0.65), (0.02, 0.3), (0.05, 0.3)])
def test_a_smile_gives_way_to_brows_that_are_drawn_down(below, held):
    made = mouth(0.3)
    made[INNER_BROWS, 1] = below
    drawn = smiling(made, mouth(0.42))
    assert drawn[CORNERS[1], 0] - drawn[CORNERS[0], 0] == pytest.approx(0.3 + 0.6 * held * 0.12, abs=1e-6)


@pytest.mark.parametrize(("own", "yaw", "held"), [
    (20.0, 14.0, 14.0), (-20.0, -14.0, -14.0),    # both halves are seen: free
    (45.0, 35.0, 43.5), (-45.0, -35.0, -43.5),    # 0.15 of ten degrees towards the front
    (45.0, 55.0, 55.0), (-45.0, -55.0, -55.0),    # away from it
    (32.5, 22.5, 32.5 - 5.75),                    # half way from 25 to 40
    (0.0, 9.0, 9.0),
])
def test_a_face_that_is_turned_aside_hardly_turns_back(own, yaw, held):
    assert hold_yaw(np.array([yaw]), own) == pytest.approx([held])
