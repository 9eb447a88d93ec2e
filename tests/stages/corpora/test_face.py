"""Key points: neutral face, mouth, lids, expressions."""

import numpy as np
import pytest

from models.face.points import GROUPS, NUM_KEYPOINTS, positions
from models.landmark.shutting import shut_lids
from stages.corpora.expression import EMOTIONS, expression_displacement, unit_actions
from stages.corpora.mouth import CORNERS, WIDE_OPEN, mouth_opening, speech_displacement
from stages.corpora.performance import emotional_mouth
from stages.corpora.portrait import closed_lips
from stages.corpora.visemes import MouthCurves


@pytest.fixture
def rest():
    """A made-up face: lips on an ellipse about (0, 0.4), lids 0.06 apart."""
    face = np.random.default_rng(1).normal(0, 0.02, (NUM_KEYPOINTS, 3))
    for name, height in (("lips_outer_upper", -0.05), ("lips_inner_upper", 0.0), ("lips_inner_lower", 0.0),
                         ("lips_outer_lower", 0.06)):
        rows = positions(GROUPS[name])
        across = np.linspace(-1, 1, len(rows)) if len(rows) == 7 else np.linspace(-0.66, 0.66, len(rows))
        face[rows] = np.column_stack([0.15 * across, 0.4 + height * (1 - across**2), 0 * across])
    face[positions((61, 78, 291, 308))] = [[-0.15, 0.4, 0], [-0.14, 0.4, 0], [0.15, 0.4, 0], [0.14, 0.4, 0]]
    for side, x in (("right", -0.25), ("left", 0.25)):
        for lid, y in (("upper", -0.03), ("lower", 0.03)):
            face[positions(GROUPS[f"eyelid_{lid}_{side}"])] = [[x - 0.03, y, 0], [x, y, 0], [x + 0.03, y, 0]]
    return face


def curves(**values) -> MouthCurves:
    names = ("opening", "jaw", "width", "pucker", "press", "tuck", "loudness")
    return MouthCurves(**{name: np.array([float(values.get(name, 0.0))]) for name in names})


@pytest.mark.parametrize("values", [{"opening": 0.7, "jaw": 0.6}, {"opening": 0.26, "pucker": 0.95, "width": -0.45},
                                    {"opening": 0.1, "tuck": 1.0}, {"press": 1.0, "jaw": 0.1}])
def test_the_gap_between_the_lips_is_the_opening_exactly(rest, values):
    moved = closed_lips(rest) + speech_displacement(closed_lips(rest), curves(**values))
    assert mouth_opening(moved)[0] == pytest.approx(values.get("opening", 0.0) * WIDE_OPEN, abs=1e-12)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_no_emotion_opens_a_closed_mouth(rest, emotion):
    rest = closed_lips(rest)
    mouth = emotional_mouth(curves(opening=0.0, press=1.0), emotion, np.array([1.0]))
    moved = rest + speech_displacement(rest, mouth) + expression_displacement(rest, EMOTIONS[emotion])
    assert mouth_opening(moved)[0] == pytest.approx(0.0, abs=1e-12)


def test_a_pout_narrows_the_mouth_and_a_spread_widens_it(rest):
    def width(**values):
        corners = (rest + speech_displacement(rest, curves(**values))[0])[CORNERS, 0]
        return corners.max() - corners.min()

    assert width(pucker=1.0) == pytest.approx(0.3 * (1 - 0.26))
    assert width(width=1.0) == pytest.approx(0.3 * 1.10)


def test_closing_lips_keeps_their_fullness(rest):
    open_face = rest.copy()
    open_face[positions((*GROUPS["lips_inner_lower"], *GROUPS["lips_outer_lower"])), 1] += 0.08
    closed = closed_lips(open_face)
    assert mouth_opening(closed[None])[0] == pytest.approx(0.0, abs=1e-12)
    before, after = (face[positions((17,)), 1] - face[positions((14,)), 1] for face in (open_face, closed))
    assert after == pytest.approx(before, abs=0.02)


def test_shut_lids_meet(rest):
    shut = rest + shut_lids(rest[None], np.array([1.0]))[0]
    upper, lower = positions(GROUPS["eyelid_upper_left"]), positions(GROUPS["eyelid_lower_left"])
    assert np.allclose(shut[upper], shut[lower])
    assert np.array_equal(rest + shut_lids(rest[None], np.array([0.0]))[0], rest)


def test_emotions_differ_by_more_than_a_hundredth_of_the_face(rest):
    shown = {name: expression_displacement(rest, style) for name, style in EMOTIONS.items()}
    assert np.all(shown["neutral"] == 0)
    names = list(shown)
    for index, one in enumerate(names):
        for other in names[index + 1:]:
            assert np.abs(shown[one] - shown[other]).max() > 0.01, (one, other)


def test_smiles_go_up_and_frowns_down(rest):
    units = unit_actions(rest)
    corner, brow = positions((61, 291)), positions((66, 296))
    assert np.all(units["corner_up"][corner, 1] == -1.0)  # y points down
    assert np.all(units["corner_down"][corner, 1] == 1.0)
    assert np.all(units["brow_down"][brow, 1] > 0)
    assert units["corner_left_up"][corner, 1].tolist() == [0.0, -1.0]  # contempt is one-sided
