"""Mergeable moments and the statistics of equations 5 and 6."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from feature_store.reader import ClipRow, FeatureStore
from feature_store.statistics import (
    Moments,
    by_group,
    clip_moments,
    merged,
    motion_statistics,
    pose_groups,
    pose_normalizers,
)
from tests.feature_store.made import motion_of, write_store

PARTS = st.lists(arrays(np.float64, st.tuples(st.integers(1, 6), st.just(2)), elements=st.floats(-100, 100)),
                 min_size=1, max_size=6)


def column(*values: float) -> np.ndarray:
    """One expression dimension and the seven of the pose, all alike."""
    return np.repeat(np.array(values, np.float64)[:, None], 8, axis=1)


def statistics(clips: list[np.ndarray], groups: list[str] | None = None, pose_group: str = "clip"):
    return motion_statistics([Moments.of(clip) for clip in clips], groups or [str(i) for i in range(len(clips))],
                             1e-4, pose_group)


def test_equation_5_by_hand():
    expression = statistics([column(1, 3), column(2, 4, 10)]).expression
    assert expression.mean[0] == pytest.approx(4.0, abs=1e-12)  # over all five frames, not over clips
    assert expression.std[0] == pytest.approx(3.162278, abs=1e-6)


def test_equation_6_by_hand_with_the_n_that_the_paper_leaves_out():
    clip = Moments.of(column(2, 4, 10))
    assert clip.mean[-1] == pytest.approx(5.333333, abs=1e-6)
    assert clip.std[-1] == pytest.approx(3.399346, abs=1e-6)


def test_pose_statistics_are_averaged_over_groups():
    clips = [column(1, 3), column(2, 4, 10)]
    each = statistics(clips)
    assert each.pose_mean[0] == pytest.approx((2 + 16 / 3) / 2)
    assert each.pose_std[0] == pytest.approx((1 + 3.399346) / 2, abs=1e-6)
    one_person = statistics(clips, ["a", "a"])
    assert one_person.pose_mean[0] == pytest.approx(4.0) and one_person.pose_std[0] == pytest.approx(3.162278)


@given(PARTS)
def test_merging_is_one_pass_over_everything(parts):
    total, whole = merged(map(Moments.of, parts), 2), Moments.of(np.concatenate(parts))
    assert total.count == whole.count
    np.testing.assert_allclose(total.mean, whole.mean, atol=1e-11)
    np.testing.assert_allclose(total.m2, whole.m2, atol=1e-8)


@given(PARTS)
def test_merging_does_not_depend_on_order_or_grouping(parts):
    moments = [Moments.of(part) for part in parts]
    half = len(moments) // 2
    grouped = merged(moments[half:], 2) + merged(moments[:half], 2)
    np.testing.assert_allclose(grouped.m2, merged(moments, 2).m2, atol=1e-8)
    np.testing.assert_allclose(grouped.mean, merged(moments, 2).mean, atol=1e-11)


def test_merging_keeps_its_digits_far_from_zero():
    """The sum of squares minus the square of the sum would lose all of them."""
    values = 1e9 + np.random.default_rng(0).normal(size=(1000, 1))
    parts = merged((Moments.of(part) for part in np.split(values, 10)), 1)
    np.testing.assert_allclose(parts.std, values.std(0), rtol=1e-6)


def test_nothing_merges_to_nothing():
    assert (Moments.empty(2) + Moments.empty(2)).count == 0
    np.testing.assert_array_equal((Moments.empty(1) + Moments.of(np.array([[3.0]]))).mean, [3.0])


def test_no_training_clip_is_an_error():
    with pytest.raises(ValueError, match="no training clip"):
        statistics([])


def test_groups_of_clips():
    clips = [ClipRow(str(i), "mead", f"mead/{i % 2}", None, None, None, 5) for i in range(3)]
    assert pose_groups(clips, "clip") == ["0", "1", "2"]
    assert pose_groups(clips, "identity") == ["mead/0", "mead/1", "mead/0"]
    assert pose_groups(clips, "global") == ["", "", ""]
    assert list(by_group([Moments.of(column(1, 2))] * 3, ["b", "a", "b"])) == ["a", "b"]


@pytest.mark.parametrize("pose_group", ["clip", "identity", "global"])
def test_stored_clips_are_normalized_by_their_group(tmp_path, pose_group):
    write_store(tmp_path / "mead", tmp_path / "units", [0, 1, 3])  # clips 0 and 3 are one person's
    store = FeatureStore([tmp_path / "mead"])
    clips = store.clips()
    whole = motion_statistics([clip_moments(store, clip) for clip in clips], pose_groups(clips, pose_group), 1e-4,
                              pose_group)
    members = {"clip": [3], "identity": [0, 3], "global": [0, 1, 3]}[pose_group]
    frames = np.concatenate([store.load(f"clip{i:03d}").motion for i in members]).astype(np.float64)
    pose = pose_normalizers(store, clips, whole)["clip003"]
    np.testing.assert_allclose(pose.mean, frames[:, -7:].mean(0), atol=1e-9)
    np.testing.assert_allclose(pose.std, frames[:, -7:].std(0), atol=1e-9)
    every = np.concatenate([motion_of(i, 5 + i) for i in (0, 1, 3)]).astype(np.float64)
    np.testing.assert_allclose(whole.expression.mean, every[:, :-7].mean(0), atol=1e-9)
    np.testing.assert_allclose(whole.expression.std, every[:, :-7].std(0), atol=1e-9)
