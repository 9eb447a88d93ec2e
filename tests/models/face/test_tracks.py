"""Tracks, the speaker among them, and boxes between looks."""

from __future__ import annotations

import numpy as np
import pytest

from models.face.face import Face
from models.face.tracks import Track, boxes_per_frame, distance, link, speaker


def face(x, y=0.0, side=10.0):
    return Face(np.array([x, y, x + side, y + side]), 0.9, np.zeros((5, 2)))


def test_distance_by_hand():
    assert distance(face(0).box, face(5).box) == pytest.approx(0.5)
    assert distance(face(0).box, face(0, side=15).box) == pytest.approx(np.hypot(2.5, 2.5) / 12.5)
    assert distance(face(0).box, face(0, side=21).box) == float("inf")


def test_a_small_face_that_leaves_its_own_box_is_still_one_track():
    [track] = link([[face(0)], [face(9.5)], [face(0)]])
    assert track.looks == [0, 1, 2]
    assert len(link([[face(0)], [face(10.5)]])) == 2


def test_two_people_that_come_and_go():
    looks = [[face(0), face(100)], [face(101), face(2)], [face(4)], [face(6), face(102)]]
    left, right = link(looks)
    assert left.looks == [0, 1, 2, 3] and right.looks == [0, 1, 3]
    assert [f.box[0] for f in left.faces] == [0, 2, 4, 6]


def test_a_face_that_was_away_too_long_is_a_new_track():
    looks = [[face(0)], *[[]] * 6, [face(0)]]
    assert [t.looks for t in link(looks)] == [[0], [7]]
    assert [t.looks for t in link([[face(0)], *[[]] * 5, [face(0)]])] == [[0, 6]]


def test_one_detection_joins_one_track():
    tracks = link([[face(0), face(4)], [face(2)]])
    assert sorted(len(t.looks) for t in tracks) == [1, 2]


def test_speaker_by_size_and_persistence():
    large, small, brief = Track([0, 1, 2], [face(0, side=20)] * 3), Track([0, 1, 2], [face(50)] * 3), \
        Track([1], [face(80, side=60)])
    assert speaker([small, large, brief], 3, None) is large
    assert speaker([], 3, None) is None


def test_speaker_by_hint_among_lasting_tracks():
    large, small, brief = Track([0, 1, 2], [face(0, side=20)] * 3), Track([0, 1, 2], [face(50)] * 3), \
        Track([1], [face(90)])
    assert speaker([small, large, brief], 3, np.array([60.0, 5.0])) is small
    assert speaker([small, large, brief], 3, np.array([99.0, 5.0])) is small  # a passer-by is not the speaker
    assert speaker([brief], 3, np.array([0.0, 0.0])) is brief


def test_boxes_between_looks():
    track = Track([0, 2], [face(0), face(10)])
    boxes = boxes_per_frame(track, [0, 5, 10], 13)
    assert boxes.shape == (13, 4)
    assert boxes[:, 0] == pytest.approx([*range(11), 10, 10])
