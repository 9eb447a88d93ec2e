"""Dials as users give them."""

from __future__ import annotations

import numpy as np
import pytest

from models.generation.request import Curves
from pipeline.animate.direction import MOUTH_SCALE, POSE_SCALE, Direction, dial_curve
from pipeline.animate.timeline import over_time, parse_timeline


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
    found = dial_curve("0@2", POSE_SCALE, 100)
    np.testing.assert_allclose(found[[0, 44, -1]], [1, 1, 0])
    np.testing.assert_array_equal(dial_curve(0.5, MOUTH_SCALE, None)[-1], 0.5)
    np.testing.assert_array_equal(dial_curve("0.5", MOUTH_SCALE, 10), dial_curve(0.5, MOUTH_SCALE, 10))
    assert dial_curve(None, POSE_SCALE, 10) is None and dial_curve([], POSE_SCALE, 10) is None


def test_nothing_given_directs_nothing():
    assert Direction().curves(10) == Curves() and Direction().settings() == {}


@pytest.mark.parametrize(("given", "message"), [
    ({"pose_scale": "much"}, "pose scale 'much': write a number, or NUMBER@SECONDS"),
    ({"pose_scale": 3.1}, "pose scale 3.1: it must lie between 0 and 3"), ({"pose_scale": "nan"}, "between 0 and 3"),
    ({"mouth_scale": "-1"}, "between 0 and 2"), ({"mouth_scale": "1@x"}, "after @ comes the start in seconds"),
    ({"mouth_scale": "1@-2"}, "at 0 s or later"), ({"mouth_scale": "1@inf"}, "at 0 s or later"),
    ({"mouth_scale": ["1", "0.5"]}, "two entries of mouth scale begin at one time"),
    ({"pose_scale": "1@0.5"}, "begins at 0.5 s, but the speech ends at 0.40 s"),
    ({"pose_scale": ";".join(["1@1"] * 300)}, "at most 200")])
def test_what_cannot_be_followed_is_said(given, message):
    with pytest.raises(ValueError, match=message):
        Direction(**given).curves(10)
