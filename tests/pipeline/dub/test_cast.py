"""People are followed by place within a shot and by identity over cuts."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest

from models.face.face import Face
from pipeline.dub.cast import DETECT_EVERY, box_at, choose_person, find_cast, rivals
from pipeline.dub.reader import DubError, SmallPicture

ANNA, BERT = np.array([1.0, 0]), np.array([0.0, 1])


def film(shots: list[list[tuple[float, float, np.ndarray]]], frames: int = 12):
    """Small pictures, a detector and an identity: every shot has faces (left, side, vector) on pictures of 80 x 40."""
    pictures = [SmallPicture(np.full((40, 80, 3), shot, np.uint8), F(shot * frames + i, 25),
                             1.0 if i == 0 and shot else 0.0, (160, 80), F(25))
                for shot in range(len(shots)) for i in range(frames)]

    class Detector:
        def detect(self, image):
            return [Face(np.array([left, 5, left + side, 5 + side]), 0.9, np.full((5, 2), left))
                    for left, side, _ in shots[int(image[0, 0, 0])]]

    def identity(image, face):
        return next(vector for left, _, vector in shots[int(image[0, 0, 0])] if left == face.points[0, 0])

    return pictures, Detector(), identity


def test_a_person_keeps_the_number_over_cuts_wherever_the_face_is():
    cast = find_cast(*film([[(5, 20, ANNA), (50, 10, BERT)], [(50, 20, ANNA)], [], [(5, 9, BERT), (40, 20, ANNA)]]))
    assert [(shot.first, shot.end) for shot in cast.shots] == [(0, 12), (12, 24), (24, 36), (36, 48)]
    anna, bert = cast.people
    assert sorted(anna.boxes) == [0, 1, 3] and sorted(bert.boxes) == [0, 3]
    assert box_at(anna, cast.shots, 13).tolist() == [100, 10, 140, 50]    # in pixels of the film, twice as large
    assert box_at(anna, cast.shots, 30) is None and box_at(bert, cast.shots, 13) is None
    assert choose_person(cast, None) is anna and choose_person(cast, 2) is bert and not rivals(cast)
    assert [number for number, _ in cast.sample_boxes] == [1, 2]
    with pytest.raises(DubError, match="face 3 was asked for, but the film has 2"):
        choose_person(cast, 3)


def test_two_people_alike_in_size_are_rivals():
    assert rivals(find_cast(*film([[(5, 20, ANNA), (50, 18, BERT)]])))


def test_boxes_end_with_the_last_look_that_has_the_face():
    pictures, detector, identity = film([[(5, 20, ANNA)]], 4 * DETECT_EVERY)
    seen, look = detector.detect, iter(range(9))
    detector.detect = lambda image: seen(image) if next(look) < 2 else []
    [person] = find_cast(pictures, detector, identity).people
    assert len(person.boxes[0]) == DETECT_EVERY + 1


def test_a_film_without_faces_or_frames_is_refused():
    with pytest.raises(DubError, match="no face is found"):
        choose_person(find_cast(*film([[]])), None)
    with pytest.raises(DubError, match="no frame"):
        find_cast([], *film([[]])[1:])
