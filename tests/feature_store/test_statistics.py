"""Mergeable moments and the statistics of equations 5 and 6."""

from __future__ import annotations

import functools
import operator
import resource

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from feature_store.moments import Moments, among, stream_moments
from feature_store.reader import ClipRow, FeatureStore, read_manifests
from feature_store.statistics import by_group, group_of, motion_statistics, pose_normalizers
from tests.feature_store.made import frames_of, motion_of, write_store

PARTS = st.lists(arrays(np.float64, st.tuples(st.integers(1, 6), st.just(2)), elements=st.floats(-100, 100)),
                 min_size=1, max_size=6)


def column(*values: float) -> np.ndarray:
    """One expression dimension and the seven of the pose, all alike."""
    return np.repeat(np.array(values, np.float64)[:, None], 8, axis=1)


def statistics(clips: list[np.ndarray], groups: list[str] | None = None, pose_group: str = "clip"):
    names = groups or [str(i) for i in range(len(clips))]
    return motion_statistics(zip(names, map(Moments.of, clips), strict=True), 1e-4, pose_group)


def merged(moments: list[Moments]) -> Moments:
    return functools.reduce(operator.add, moments)


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
    one_person = statistics(clips, ["a", "a"], "identity")
    assert one_person.pose_mean[0] == pytest.approx(4.0) and one_person.pose_std[0] == pytest.approx(3.162278)


@given(PARTS)
def test_merging_is_one_pass_over_everything(parts):
    total, whole = merged([Moments.of(part) for part in parts]), Moments.of(np.concatenate(parts))
    assert total.count == whole.count
    np.testing.assert_allclose(total.mean, whole.mean, atol=1e-11)
    np.testing.assert_allclose(total.m2, whole.m2, atol=1e-8)


@given(PARTS)
def test_merging_does_not_depend_on_order_or_grouping(parts):
    moments = [Moments.of(part) for part in parts]
    half = len(moments) // 2
    grouped = merged(moments[half:]) + merged(moments[:half]) if half else moments[0]
    np.testing.assert_allclose(grouped.m2, merged(moments).m2, atol=1e-8)
    np.testing.assert_allclose(grouped.mean, merged(moments).mean, atol=1e-11)


def test_merging_keeps_its_digits_far_from_zero():
    """The sum of squares minus the square of the sum would lose all of them."""
    values = 1e9 + np.random.default_rng(0).normal(size=(1000, 1))
    parts = merged([Moments.of(part) for part in np.split(values, 10)])
    np.testing.assert_allclose(parts.std, values.std(0), rtol=1e-6)


def test_groups_of_one_clip_are_summed_as_they_come_with_the_same_bits():
    clips = [motion_of(i, 5 + i) for i in range(40)]
    alone = statistics(clips, [f"{i:02d}" for i in range(40)], "clip")
    grouped = statistics(clips, [f"{i:02d}" for i in range(40)], "identity")
    np.testing.assert_array_equal(alone.pose_mean, grouped.pose_mean)
    np.testing.assert_array_equal(alone.pose_std, grouped.pose_std)


def test_no_training_clip_is_an_error():
    with pytest.raises(ValueError, match="no training clip"):
        statistics([])


def test_groups_of_clips():
    clips = [ClipRow(str(i), "mead", f"mead/{i % 2}", None, None, None, 5) for i in range(3)]
    assert [group_of(clip, "clip") for clip in clips] == ["0", "1", "2"]
    assert [group_of(clip, "identity") for clip in clips] == ["mead/0", "mead/1", "mead/0"]
    assert [group_of(clip, "global") for clip in clips] == ["", "", ""]
    total = by_group((name, Moments.of(column(1, 2))) for name in "bab")
    assert [(name, moments.count) for name, moments in total.items()] == [("a", 2), ("b", 4)]


@pytest.mark.parametrize("pose_group", ["clip", "identity", "global"])
def test_stored_clips_are_normalized_by_their_group(tmp_path, pose_group):
    write_store(tmp_path / "mead", tmp_path / "units", [0, 1, 3])  # clips 0 and 3 are one person's
    store = FeatureStore([tmp_path / "mead"])
    clips = store.clips()
    whole = motion_statistics(((group_of(clip, pose_group), clip.moments) for clip in stream_moments(store.manifests)),
                              1e-4, pose_group)
    members = {"clip": [3], "identity": [0, 3], "global": [0, 1, 3]}[pose_group]
    frames = np.concatenate([store.load(f"clip{i:03d}").motion for i in members]).astype(np.float64)
    pose = pose_normalizers(store, clips, whole)["clip003"]
    np.testing.assert_allclose(pose.mean, frames[:, -7:].mean(0), atol=1e-9)
    np.testing.assert_allclose(pose.std, frames[:, -7:].std(0), atol=1e-9)
    every = np.concatenate([motion_of(i, 5 + i) for i in (0, 1, 3)]).astype(np.float64)
    np.testing.assert_allclose(whole.expression.mean, every[:, :-7].mean(0), atol=1e-9)
    np.testing.assert_allclose(whole.expression.std, every[:, :-7].std(0), atol=1e-9)


@pytest.fixture
def two_corpora(tmp_path):
    """Ten clips in two folders of three shards each; `ids` in order."""
    for name, clips in (("mead", [0, 3, 4, 7, 9]), ("mafw", [1, 2, 5, 6, 8])):
        write_store(tmp_path / name, tmp_path / f"units of {name}", clips, buckets=3)
    return read_manifests([tmp_path / "mead", tmp_path / "mafw"])


def test_moments_come_in_order_over_shards_and_corpora(two_corpora):
    found = list(stream_moments(two_corpora))
    assert [clip.clip_id for clip in found] == [f"clip{i:03d}" for i in range(10)]
    for i, clip in enumerate(found):
        exact = Moments.of(motion_of(i, frames_of(i)))
        assert (clip.identity, clip.moments.count) == (f"mead/{i % 3}", frames_of(i))
        np.testing.assert_array_equal([clip.moments.mean, clip.moments.m2], [exact.mean, exact.m2])


def test_only_clips_that_are_asked_for_and_stored(two_corpora):
    asked = ["clip000", "clip0025", "clip003", "clip008", "zzz"]
    assert [clip.clip_id for clip in among(stream_moments(two_corpora), asked)] == ["clip000", "clip003", "clip008"]
    assert list(among(stream_moments(two_corpora), [])) == []


def test_more_shards_than_files_may_be_open(tmp_path):
    """The limit is raised by what the shards need, as far as the system lets us."""
    write_store(tmp_path / "mead", tmp_path / "units", list(range(3)))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (400, hard))
        assert len(FeatureStore([tmp_path / "mead"]).clips()) == 3
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 512
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
