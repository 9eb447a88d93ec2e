"""The talking head joins a face space and a generator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.generation.talking_head import TalkingHead
from tests.evaluation.fakes import LOWER, FakeGenerator, FakeSpace, motion_of, picture, rest_keypoints


class Raised(FakeSpace):
    """A face space that fits motions to a portrait: everything is 0.1 further down."""

    def retarget(self, motion, portrait, rest):
        return replace(motion, delta=motion.delta + np.float32([0, 0.1, 0]))


@pytest.fixture
def head() -> TalkingHead:
    return TalkingHead(Raised(), FakeGenerator())


def test_a_request_carries_the_face_and_what_is_asked(head):
    portrait = head.portrait(picture(0.0))
    request = portrait.request(np.ones((3, 1), np.float32), np.float32([1, 0, 0, 0]), "still", 7, 20)
    np.testing.assert_array_equal(request.x_c, rest_keypoints())
    np.testing.assert_array_equal(request.source_rho, [1, 0, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(portrait.keypoints, rest_keypoints())
    assert (request.pose, request.seed, request.window, request.emotion[0]) == ("still", 7, 20, 1)


def test_frames_are_of_the_fitted_motion_and_plain_key_points_are_not(head):
    portrait, motion = head.portrait(picture(0.0)), motion_of(np.array([0.0, 0.22]))
    frames = head.frames(portrait, motion)
    assert frames[:, 0, 0, 0].tolist() == [26, 82]  # 255 x (0 + 0.1), 255 x (0.22 + 0.1)
    lower = head.plain_keypoints(portrait, motion)[:, LOWER, 1] - rest_keypoints()[LOWER, 1]
    np.testing.assert_allclose(lower, [0.0, 0.22], atol=1e-6)


def test_a_film_rendered_in_pieces_is_the_same(head):
    portrait, motion = head.portrait(picture(0.0)), motion_of(np.linspace(0, 0.5, 5))
    pieces = [head.frames(portrait, motion[start:start + 2]) for start in range(0, 5, 2)]
    np.testing.assert_array_equal(np.concatenate(pieces), head.frames(portrait, motion))


def test_motions_come_in_the_order_of_their_requests(head):
    portrait = head.portrait(picture(0.0))
    speeches = [np.full((count, 1), 0.1 * count, np.float32) for count in (2, 4)]
    found = head.motions([portrait.request(speech, seed=1) for speech in speeches])
    assert [len(motion) for motion in found] == [2, 4]
