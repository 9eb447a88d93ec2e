"""Units, shards and manifest: whole or absent, always the same bytes, and readers see what is committed."""

from __future__ import annotations

import json
import pickle
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_store import reader, shards
from feature_store.manifest import NAME, Reject, read_manifest, remove_uncommitted, write_manifest
from feature_store.reader import FeatureStore
from feature_store.schema import SchemaError, encode_tensor, motion_tensors, speech_tensors
from feature_store.shards import ShardWriter, bucket_of, pack
from feature_store.units import UnitDamaged, read_unit, write_unit
from feature_store.verify import verify
from pipeline.storage import ObjectMissing
from pipeline.storage.local import LocalStorage
from tests.feature_store.made import DIM, KEYPOINTS, PRINTS, frames_of, key, motion_of, packed, write_clip, write_store

CLIPS = list(range(11))


@pytest.fixture
def folder(tmp_path):
    write_store(tmp_path / "mead", tmp_path / "units", CLIPS, rejects=[Reject("bad", "extract", "face_not_found", "x")])
    return tmp_path / "mead"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_was_written_is_read(folder):
    store = FeatureStore([folder])
    assert [clip.clip_id for clip in store.clips()] == [f"clip{i:03d}" for i in CLIPS]
    features = store.load("clip007")
    assert (features.clip.identity, features.clip.emotion, features.clip.level) == ("mead/1", "sad", 7)
    np.testing.assert_array_equal(features.motion, motion_of(7, frames_of(7)))
    np.testing.assert_array_equal(features.x_c, np.full((KEYPOINTS, 3), 7))
    np.testing.assert_array_equal(features.speech, np.full((12, DIM), 0.875))
    np.testing.assert_allclose(store.moments("clip007")[0], motion_of(7, 12).astype(np.float64).mean(0))


def test_clips_can_be_chosen(folder):
    assert [clip.clip_id for clip in FeatureStore([folder]).clips({"clip002", "unknown"})] == ["clip002"]
    with pytest.raises(KeyError):
        FeatureStore([folder]).load("unknown")


def test_the_order_in_which_units_were_made_leaves_no_trace(folder, tmp_path):
    write_store(tmp_path / "other", tmp_path / "units2", CLIPS[::-1],
                rejects=[Reject("bad", "extract", "face_not_found", "x")])
    assert contents(folder) == contents(tmp_path / "other")


def test_every_clip_lies_in_the_bucket_of_its_id(folder):
    for shard in read_manifest(folder).shards:
        bucket = int(shard.name.split("-")[1])
        assert all(bucket_of(i, 2) == bucket for i in pq.read_table(folder / shard.name)["clip_id"].to_pylist())


def test_buckets_are_about_even():
    counts = np.bincount([bucket_of(f"clip{i}", 8) for i in range(8000)], minlength=8)
    assert counts.min() > 850 and counts.max() < 1150


def test_readers_see_the_old_state_until_the_manifest_is_written(folder, tmp_path):
    before = read_manifest(folder)
    storage = LocalStorage(tmp_path / "units")
    write_clip(storage, 50)
    new = [s for family in PRINTS for s in pack(storage, packed(family, [*CLIPS, 50]), 2, folder)]
    assert len(FeatureStore([folder]).clips()) == len(CLIPS)  # as after a kill between shards and manifest
    assert any("not in the manifest" in line for line in verify(folder))
    write_manifest(folder, type(before)("mead", 25, PRINTS, new, []))
    assert len(FeatureStore([folder]).clips()) == len(CLIPS) + 1
    assert len(remove_uncommitted(folder)) == len(set(before.shards) - set(new)) > 0
    assert verify(folder) == []


def test_a_failure_while_a_shard_is_written_leaves_no_file(tmp_path, monkeypatch):
    storage = LocalStorage(tmp_path / "units")
    for clip in CLIPS:
        write_clip(storage, clip)
    calls = iter([True] * 5)

    def failing(*arguments):
        if next(calls, None) is None:
            raise OSError("disk full")
        return read_unit(*arguments)

    monkeypatch.setattr(shards, "read_unit", failing)
    with pytest.raises(OSError, match="disk full"):
        pack(storage, packed("motion", CLIPS), 1, tmp_path / "out")
    assert not (tmp_path / "out").exists() and storage.list("shards") == storage.list("packed") == []
    assert storage.unfinished() == []


def test_units_are_asked_for_together(tmp_path):
    """S3 takes its time for each: one after the other, 200,000 units would take hours."""
    class Slow(LocalStorage):
        four = threading.Barrier(4, timeout=60)  # nobody is answered until four have asked

        def get(self, key: str) -> bytes:
            if key.startswith("motion/"):
                self.four.wait()
            return super().get(key)

    plain = LocalStorage(tmp_path / "units")
    for clip in range(8):
        write_clip(plain, clip)
    (shard,) = pack(Slow(tmp_path / "units"), packed("motion", range(8)), 1, None)
    assert shard.rows == 8


def test_writers_elsewhere_give_the_same_shards_in_any_order_and_only_those_that_lack(tmp_path):
    """They get what travels: the place of the store, the folder, and buckets."""
    for name in ("here", "there"):
        for clip in CLIPS:
            write_clip(LocalStorage(tmp_path / name), clip)
    asked: list[int] = []

    def backwards(buckets):
        writer = ShardWriter(str(tmp_path / "there"), tmp_path / "out")
        sent = [pickle.loads(pickle.dumps(bucket)) for bucket in buckets][::-1]
        asked.extend(bucket.number for bucket in sent)
        return [(bucket, writer(bucket)) for bucket in sent]

    wanted = pack(LocalStorage(tmp_path / "here"), packed("motion", CLIPS), 4, None)
    there = LocalStorage(tmp_path / "there")
    assert pack(there, packed("motion", CLIPS), 4, tmp_path / "out", backwards) == wanted
    assert {path.name for path in (tmp_path / "out").iterdir()} == {shard.name for shard in wanted}
    assert asked == sorted(asked, reverse=True) and len(asked) == len(wanted) > 1
    assert pack(there, packed("motion", CLIPS), 4, tmp_path / "out", backwards) == wanted and len(asked) == len(wanted)


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_verify_finds_a_flipped_byte_a_missing_and_a_short_shard(folder):
    assert verify(folder) == []
    first, second, third = (folder / shard.name for shard in read_manifest(folder).shards[:3])
    flip(first, 300)
    second.write_bytes(second.read_bytes()[:-1])
    third.unlink()
    assert [line.split(": ", 1)[1].split(",")[0] for line in verify(folder)] == [
        "its bytes are not those that were committed", f"{second.stat().st_size} bytes", "missing"]


def test_a_damaged_unit_says_so(tmp_path):
    storage = LocalStorage(tmp_path)
    write_clip(storage, 3)
    path = tmp_path / str(key("motion", 3))
    flip(path, 60)
    with pytest.raises(UnitDamaged, match="is damaged"):
        read_unit(storage, key("motion", 3))
    with pytest.raises(UnitDamaged, match="was removed; run again"):
        pack(storage, packed("motion", [3]), 1, tmp_path / "out")
    assert not path.exists() and not (tmp_path / "out").exists() and storage.list("packed") == []
    with pytest.raises(ObjectMissing):
        read_unit(storage, key("motion", 4))


def test_a_finished_unit_stays(tmp_path):
    storage = LocalStorage(tmp_path)
    write_clip(storage, 3)
    write_unit(storage, key("speech", 3), 1, 25, speech_tensors(DIM), {"features": np.zeros((1, DIM))})
    assert read_unit(storage, key("speech", 3))["frames"].to_pylist() == [8]


@pytest.mark.parametrize(("version", "readable"), [("1.0", True), ("1.9", True), ("2.0", False), ("10.0", False)])
def test_another_major_version_is_refused(folder, version, readable):
    path = folder / NAME
    path.write_text(path.read_text().replace('"schema_version": "1.0"', f'"schema_version": "{version}"'))
    if readable:
        assert read_manifest(folder).schema_version == version
    else:
        with pytest.raises(SchemaError, match=f"version {version}, this code reads 1.0: run"):
            read_manifest(folder)


def test_rows_of_different_code_never_mix(folder, tmp_path):
    write_store(tmp_path / "b", tmp_path / "units", [20])
    path = tmp_path / "b" / NAME
    path.write_text(path.read_text().replace("m" * 32, "n" * 32))
    with pytest.raises(SchemaError, match="different code"):
        FeatureStore([folder, tmp_path / "b"])


def test_a_missing_manifest_names_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match="dvc repro extract"):
        FeatureStore([tmp_path])


def test_a_corpus_without_clips_is_a_store(tmp_path):
    write_store(tmp_path / "empty", tmp_path / "units", [])
    assert FeatureStore([tmp_path / "empty"]).clips() == []


def test_manifest_counts_and_rejects(folder):
    value = json.loads((folder / NAME).read_text())
    assert value["clips"] == 11 and value["frames"] == sum(map(frames_of, CLIPS))
    assert value["rejects"] == [{"clip_id": "bad", "code": "face_not_found", "detail": "x", "stage": "extract",
                                 "value": None}]


@pytest.mark.parametrize("value", [np.zeros((4, 3)), np.full((5, 3), np.nan), np.full((5, 3), 1e6)])
def test_a_tensor_that_does_not_fit_is_refused(value):
    with pytest.raises(SchemaError):
        encode_tensor(speech_tensors(3)[0], value, 5)  # wrong length; not a number; beyond float16


def test_any_arrow_reader_can_use_the_metadata(folder):
    shard = next(s for s in read_manifest(folder).shards if s.family == "motion")
    table = pq.read_table(folder / shard.name)
    field = table.schema.field("motion")
    assert field.type == pa.large_binary()
    assert field.metadata[b"shape"] == b"-1,13" and field.metadata[b"dtype"] == b"<f4" and field.metadata[b"unit"]
    assert [tensor.name for tensor in motion_tensors(KEYPOINTS)] == ["x_c", "motion", "moments"]


def test_a_reader_keeps_a_bounded_number_of_bytes(folder, monkeypatch):
    monkeypatch.setattr(reader, "CACHED_BYTES", 2000)
    store = FeatureStore([folder])
    for _ in range(3):
        for clip in CLIPS:
            np.testing.assert_array_equal(store.load(f"clip{clip:03d}").motion, motion_of(clip, frames_of(clip)))
            held = sum(table.nbytes for table in store._groups.values())
            assert held <= 2000 or len(store._groups) == 1
