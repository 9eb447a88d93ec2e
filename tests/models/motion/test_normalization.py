"""Equations 5 and 6."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.generation.request import Request
from models.generation.track import pose_rule
from models.motion.normalization import MotionStatistics, Normalizer

VALUES = arrays(np.float64, (7, 3), elements=st.floats(-1e6, 1e6))


@given(VALUES, arrays(np.float64, 3, elements=st.floats(-1e3, 1e3)),
       arrays(np.float64, 3, elements=st.floats(1e-3, 1e3)))
def test_denormalize_inverts_normalize_in_float64(values, mean, std):
    scaler = Normalizer.of(mean, std, 1e-4)
    back = scaler.denormalize(scaler.normalize(values))
    np.testing.assert_allclose(back, values, rtol=0, atol=1e-9 * (1 + np.abs(values).max()))


def test_a_dimension_that_never_moves_is_masked():
    scaler = Normalizer.of([5.0, 1.0], [1e-5, 2.0], min_std=1e-4)
    np.testing.assert_array_equal(scaler.alive, [False, True])
    np.testing.assert_array_equal(scaler.normalize(np.array([5.00001, 5.0])), [0.0, 2.0])
    np.testing.assert_array_equal(scaler.denormalize(np.array([123.0, 2.0])), [5.0, 5.0])


def statistics(pose_group: str) -> MotionStatistics:
    return MotionStatistics(
        expression=Normalizer.of(np.array([1.0, 0.0, 3.0]), np.array([2.0, 0.0, 1.0]), 1e-4),
        pose_mean=np.arange(7.0), pose_std=np.array([2.0] * 6 + [0.0]), pose_center=np.full(7, 10.0),
        pose_spread=np.full(7, 4.0), pose_group=pose_group, min_std=1e-4)


def test_delta_is_normalized_globally_and_pose_by_its_clip():
    whole = statistics("clip")
    pose = whole.pose_of(np.full(7, 2.0), np.full(7, 0.5))
    motion = np.concatenate([[3.0, 9.0, 2.0], np.full(7, 3.0)])[None]
    normal = whole.normalize(motion, pose)
    np.testing.assert_array_equal(normal, [[1.0, 0.0, -1.0] + [2.0] * 7])
    np.testing.assert_array_equal(whole.denormalize(normal, pose), [[3.0, 0.0, 2.0] + [3.0] * 7])


def test_a_portrait_keeps_its_own_pose_as_mean():
    pose = statistics("clip").pose_of_portrait(np.full(7, 30.0))
    np.testing.assert_array_equal(pose.denormalize(np.ones(7)), [32.0] * 6 + [30.0])


def test_global_pose_statistics_take_no_notice_of_the_clip():
    pose = statistics("global").pose_of(np.zeros(7), np.ones(7))
    np.testing.assert_array_equal(pose.normalize(np.full(7, 14.0)), np.ones(7))


@pytest.mark.parametrize("pose_group", ["clip", "identity", "global"])
def test_tensors_carry_everything(pose_group):
    whole = statistics(pose_group)
    back = MotionStatistics.from_tensors(whole.tensors())
    assert back.pose_group == pose_group and back.min_std == 1e-4
    np.testing.assert_array_equal(back.alive, [True, False, True] + [True] * 6 + [False])
    for name, value in whole.tensors().items():
        np.testing.assert_array_equal(back.tensors()[name], value)


def test_a_pose_that_is_followed_has_its_own_statistics_unless_they_are_global():
    driving = np.random.default_rng(0).normal(3.0, 2.0, (40, 7))
    request = Request(np.zeros((40, 2), np.float32), np.zeros((1, 3)), np.zeros(7), pose=driving)
    normal, given = pose_rule(request, statistics("clip"))
    assert given is driving
    np.testing.assert_allclose([normal.normalize(driving).mean(0), normal.normalize(driving).std(0)],
                               [np.zeros(7), np.ones(7)], atol=1e-12)
    normal, _ = pose_rule(request, statistics("global"))
    np.testing.assert_allclose(normal.normalize(driving), (driving - 10) / 4)
