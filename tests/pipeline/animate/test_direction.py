"""Dials as users give them."""

from __future__ import annotations

import numpy as np
import pytest

from models.generation.request import Curves, SampleSettings
from pipeline.animate.direction import BLINK, GAZE, MOUTH_SCALE, POSE_SCALE, Direction, dial_curve
from pipeline.animate.timeline import over_time, parse_timeline

OWN = SampleSettings("ddim", 10, 1.2, 2.5, 10.0, 8, 1.0, 0.8, 1.0, 1)


def test_a_timeline_as_a_list_or_as_one_text():
    wanted = [(0.0, 1.0), (3.5, 0.25)]
    for texts in (["1", "0.25@3.5"], "0.25@3.5; 1", ["1;0.25@3.5"]):
        assert parse_timeline(texts, float, "x") == wanted


def test_values_pass_into_each_other_as_emotions_do():
    """1 until 1 s, then 3: the middle of the fade lies between frames 24 (0.98 s) and 25 (1.02 s)."""
    found = over_time([(0.0, 1.0), (1.0, 3.0)], 9.0, 50, 25)
    np.testing.assert_allclose(found[[0, 19, 24, 25, 30, 49]], [1, 1, 1.9, 2.1, 3, 3])
    assert np.abs(np.diff(found)).max() <= 2 / (0.4 * 25) + 1e-9


def test_a_dial_is_the_models_own_before_it_begins_and_stays_at_the_end():
    found = dial_curve("0@2", POSE_SCALE, 100, 1.0)
    np.testing.assert_allclose(found[[0, 44, -1]], [1, 1, 0])
    np.testing.assert_array_equal(dial_curve(0.5, MOUTH_SCALE, None, 1.0)[-1], 0.5)
    np.testing.assert_array_equal(dial_curve("0.5", MOUTH_SCALE, 10, 1.0), dial_curve(0.5, MOUTH_SCALE, 10, 1.0))
    assert dial_curve(None, POSE_SCALE, 10, 1.0) is None and dial_curve([], POSE_SCALE, 10, 1.0) is None
    np.testing.assert_allclose(dial_curve("off; 30@2", BLINK, 100, 16.0)[[0, -1]], [0, 30])
    np.testing.assert_allclose(dial_curve("camera; free@2", GAZE, 100, 0.0)[[0, -1]], [1, 0])


def test_guidance_is_the_models_own_until_it_is_asked_for():
    """w_a 1.2 of which the pose gets 0.8; `audio_scale` 2 makes that 2 and 1.6."""
    curves = Direction(expression_scale="3@1", pose_guidance="0@1").curves(OWN, 100)
    np.testing.assert_allclose(curves.expression_scale[[0, -1]], [1.2, 3])
    np.testing.assert_allclose(curves.pose_guidance[[0, -1]], [0.96, 0])
    curves = Direction(audio_scale=2.0, expression_scale="3@1", pose_guidance="0@1").curves(OWN, 100)
    np.testing.assert_allclose([curves.expression_scale[0], curves.pose_guidance[0]], [2, 1.6])
    assert Direction(guided="0:0.6").part() == (0.0, 0.6) and Direction().part() == (0.0, 1.0)


def test_a_style_has_a_blink_rate_unless_one_is_given():
    assert Direction().curves(OWN, 100, 22.0).blinks_per_min == [22.0]
    np.testing.assert_allclose(Direction(blink="5@2").curves(OWN, 100, 22.0).blinks_per_min[[0, -1]], [22, 5])


def test_nothing_given_directs_nothing():
    assert Direction().curves(OWN, 10) == Curves() and Direction().settings() == {}


@pytest.mark.parametrize(("given", "message"), [
    ({"pose_scale": "much"}, "pose scale 'much': write a number; @SECONDS says"),
    ({"pose_scale": 3.1}, "pose scale 3.1: it must lie between 0 and 3"), ({"pose_scale": "nan"}, "between 0 and 3"),
    ({"mouth_scale": "-1"}, "between 0 and 2"), ({"mouth_scale": "1@x"}, "after @ comes the start in seconds"),
    ({"mouth_scale": "1@-2"}, "at 0 s or later"), ({"mouth_scale": "1@inf"}, "at 0 s or later"),
    ({"mouth_scale": ["1", "0.5"]}, "two entries of mouth scale begin at one time"),
    ({"pose_scale": "1@0.5"}, "begins at 0.5 s, but the speech ends at 0.40 s"),
    ({"pose_scale": ";".join(["1@1"] * 300)}, "at most 200"), ({"blink": "61"}, "between 0 and 60"),
    ({"blink": "never"}, "write a number or off"), ({"gaze": "away"}, "gaze 'away': write free or camera"),
    ({"gaze": 1.0}, "write free or camera"), ({"expression_scale": 11.0}, "between 0 and 10"),
    ({"guided": "0.5"}, "write FROM:TO"), ({"guided": "0.6:0.2"}, "two shares"), ({"guided": "nan:1"}, "two shares"),
    ({"guided": "0:1:2"}, "write FROM:TO")])
def test_what_cannot_be_followed_is_said(given, message):
    with pytest.raises(ValueError, match=message):
        directed = Direction(**given)
        directed.part()
        directed.curves(OWN, 10)
