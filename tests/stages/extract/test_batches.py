"""Which clips are computed together, and what goes from actor to actor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.manifest import Reject
from feature_store.schema import MOTION, SPEECH
from feature_store.units import UnitKey
from models.motion.face_space import FaceNotFound
from models.motion.motion import Motion
from pipeline.storage import ObjectMissing
from stages.extract.clip import ClipError
from stages.extract.jobs import Batches, JobFile, batch_tables, make_batches, spool
from stages.extract.plan import Clip
from stages.extract.transfer import (
    PICTURES,
    WAVEFORM,
    BatchedSpace,
    CarriedMedia,
    Medium,
    Outbox,
    decoded_row,
    result_row,
)


def positions(batches: Batches) -> list[list[int]]:
    return [batches.positions(i).tolist() for i in range(len(batches))]


def test_longest_first_and_equal_lengths_stay_in_order():
    assert positions(make_batches(np.array([10, 30, 20, 30], np.int32), 2, 1000)) == [[1, 3], [2, 0]]


def test_a_batch_holds_at_most_its_frames_and_a_longer_clip_is_alone():
    frames = np.array([100, 700, 60, 50, 45], np.int32)
    assert positions(make_batches(frames, 8, 160)) == [[1], [0, 2], [3, 4]]
    assert positions(make_batches(np.empty(0, np.int32), 8, 160)) == []


@given(st.lists(st.integers(1, 900), max_size=60), st.integers(1, 9), st.integers(1, 2000), st.integers(1, 20))
def test_every_clip_is_in_one_batch_and_every_batch_in_one_table(frames, max_clips, max_frames, blocks):
    batches = make_batches(np.array(frames, np.int32), max_clips, max_frames)
    found = positions(batches)
    assert sorted(i for batch in found for i in batch) == list(range(len(frames)))
    assert all(1 <= len(batch) <= max_clips for batch in found)
    assert all(len(batch) == 1 or sum(frames[i] for i in batch) <= max_frames for batch in found)
    rows = [row for table in batch_tables(batches, blocks) for row in table["positions"].to_pylist()]
    assert sorted(rows) == sorted(found)


def test_jobs_come_back_from_the_file(tmp_path):
    def clip(i: int) -> Clip:
        keys = {family: UnitKey(family, family * 3, f"c{i}", f"{i}" * 64) for family in (MOTION, SPEECH)}
        return Clip({"clip_id": f"c{i}", "corpus": "mead", "frames": 75 + i}, keys)

    clips = [clip(i) for i in range(1030)]  # more than one record batch
    path = tmp_path / "jobs" / "run.arrow"
    with spool(((c, [SPEECH] if i % 2 else [MOTION, SPEECH]) for i, c in enumerate(clips)), path) as frames:
        assert frames.tolist() == [75 + i for i in range(1030)]
        jobs = JobFile(path).jobs(np.array([1029, 0], np.int32))
    assert [job.clip_id for job in jobs] == ["c1029", "c0"] and jobs[0].frames == 75 + 1029
    assert jobs[0].path == Path("data/crops/mead/c1029.mp4")
    assert jobs[0].keys == (clips[1029].keys[SPEECH],)
    assert jobs[1].keys == (clips[0].keys[MOTION], clips[0].keys[SPEECH])
    assert not path.exists()


def test_decoded_arrays_and_faults_are_carried():
    pictures = np.arange(2 * 3 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3, 3)
    fault, lost = Reject("b", "extract", "not_wav", "bad file", 2.0), Reject("c", "extract", "crash", "died", 3.0)
    media = CarriedMedia(decoded_row(np.array([4, 7]), [
        Medium(Path("a.mp4"), PICTURES, pictures), Medium(Path("b.mp4"), WAVEFORM, None, fault),
        Medium(Path("c.mp4"), PICTURES, None, lost, lost=True)]))
    np.testing.assert_array_equal(media.pictures(Path("a.mp4")), pictures)
    assert media.pictures(Path("a.mp4")) is media.all_pictures()[0]
    with pytest.raises(ClipError, match="bad file") as caught:
        media.waveform(Path("b.mp4"))
    assert (caught.value.code, caught.value.value) == ("not_wav", 2.0)
    assert (media.fault_of(Path("b.mp4")), media.fault_of(Path("c.mp4"))) == (None, lost)


def test_an_outbox_keeps_the_first_object_and_its_row_holds_all():
    outbox = Outbox()
    assert outbox.put_if_absent("a", b"1") and not outbox.put_if_absent("a", b"2")
    outbox.put("b", b"")
    with pytest.raises(ObjectMissing):
        outbox.size("c")
    row = result_row(outbox.objects, [{"clip_id": "x"}])
    assert dict(zip(row["keys"][0].as_py(), row["data"][0].as_py(), strict=True)) == {"a": b"1", "b": b""}


class Together:
    """A face space that computes several clips at once; a dark clip has no face."""

    def __init__(self):
        self.calls = []

    def extract_many(self, clips: list[np.ndarray]) -> list[Motion | FaceNotFound]:
        self.calls.append(len(clips))
        return [_motion(clip) if clip.mean() else FaceNotFound(0) for clip in clips]

    def extract(self, frames: np.ndarray) -> Motion:
        self.calls.append("alone")
        return _motion(frames)


def _motion(frames: np.ndarray) -> Motion:
    count = len(frames)
    delta, zeros = np.full((count, 1, 3), frames.mean(), np.float32), np.zeros((count, 3), np.float32)
    return Motion(np.zeros((1, 3), np.float32), delta, zeros, zeros, np.ones((count, 1), np.float32))


def test_clips_of_a_batch_are_computed_together_and_each_gets_its_own():
    clips = [np.full((n, 4, 4, 3), shade, np.uint8) for n, shade in ((2, 10), (3, 0), (1, 30))]
    space = BatchedSpace(inner := Together())
    space.prepare(clips)
    assert space.extract(clips[2]).delta[0, 0, 0] == 30 and len(space.extract(clips[0]).delta) == 2
    with pytest.raises(FaceNotFound):
        space.extract(clips[1])
    space.extract(np.full((1, 4, 4, 3), 5, np.uint8))
    assert inner.calls == [3, "alone"]
