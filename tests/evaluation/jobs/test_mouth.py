"""How far sampled mouths follow the speech: by a generator that knows the truth of each speech."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.jobs.mouth import MouthRow, follow, means, stored_curves, training_reference
from evaluation.metrics.motion import mouth_correlation
from feature_store.reader import ClipFeatures, ClipRow
from models.face.points import NUM_KEYPOINTS


def clip(number: int, frames: int) -> ClipFeatures:
    random = np.random.default_rng(number)
    motion = random.normal(0, 0.1, (frames, 3 * NUM_KEYPOINTS + 7)).astype(np.float32)
    row = ClipRow(str(number), "talks", f"person {number}", None, None, None, frames)
    return ClipFeatures(row, random.normal(size=(NUM_KEYPOINTS, 3)).astype(np.float32), motion,
                        random.normal(size=(frames, 2)).astype(np.float16), np.zeros((2, 3 * NUM_KEYPOINTS + 7)))


class Knowing:
    """Generates the true motion of the clip whose speech it is given, `late` frames late."""

    def __init__(self, clips, late=0):
        self.clips, self.late = clips, late

    def generate(self, request, **_):
        for one in self.clips:
            if len(request.speech) <= len(one.speech) and (one.speech[:len(request.speech)] == request.speech).all():
                return np.roll(one.motion[:len(request.speech)], self.late, axis=0)
        return np.random.default_rng(9).normal(0, 0.1, (len(request.speech), 3 * NUM_KEYPOINTS + 7))


def test_its_own_speech_is_followed_and_the_wrong_one_is_measured_at_the_same_lag():
    clips = [clip(1, 60), clip(2, 50)]
    rows = list(follow(Knowing(clips, late=1), clips, seeds=2, max_lag=2))
    assert [row.lags for row in rows] == [(1, 1), (1, 1)] and rows[0].r == pytest.approx(1.0, abs=1e-6)
    first, other = stored_curves(clips[1]).mouth, clips[0].motion[:50]
    wrong = stored_curves(ClipFeatures(clips[1].clip, clips[1].x_c, other, clips[0].speech, clips[1].moments)).mouth
    assert rows[1].r_wrong_speech == pytest.approx(mouth_correlation(first[:49], wrong[:49], 0).r, abs=1e-6)


def test_of_a_clip_alone_the_wrong_speech_is_its_own_turned_by_half():
    [row] = follow(Knowing([clip(1, 60)]), [clip(1, 60)], seeds=1, max_lag=2)
    assert row.r == pytest.approx(1.0, abs=1e-6) and abs(row.r_wrong_speech) < 0.5


def test_longer_clips_count_more():
    rows = [MouthRow("a", "p", 30, 0.8, 0.1, (), ()), MouthRow("b", "p", 10, 0.4, 0.3, (), ())]
    assert means(rows) == pytest.approx((0.7, 0.15))


def test_the_range_of_training_poses_is_of_stretches_as_long_as_those_that_are_tested():
    turning = clip(1, 60)
    turning.motion[:, -3:] = 0
    turning.motion[:, -2] = np.arange(60)   # yaw, a degree a frame
    _, values = training_reference([turning], stored_curves, ridge=0.1, frames=21)
    # 5th to 95th percentile
    assert values["yaw_range_deg"] == [pytest.approx(18)] and values["pitch_range_deg"] == [0]
