"""Raw corpora in S3 and in Parquet files: the readers see names, a file is fetched while its clip is worked on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.storage import ObjectMissing
from pipeline.storage.s3_raw import RawObjects
from stages.preprocess.readers import ClipRow, CorpusError, RejectRow, open_raw, raw, read_folder
from stages.preprocess.readers.raw import Source
from stages.preprocess.records import make_units


class FakeS3:
    """A bucket with the two calls that reading makes."""

    def __init__(self, objects: dict[str, bytes]):
        self.objects, self.fetched = objects, []

    def get_paginator(self, name):
        assert name == "list_objects_v2"
        return self

    def paginate(self, Bucket, Prefix):
        items = [{"Key": key, "Size": len(data), "ETag": f'"{hashlib.md5(data).hexdigest()}"'}
                 for key, data in self.objects.items() if key.startswith(Prefix)]
        return [{"Contents": items[:2]}, {"Contents": items[2:]}, {}]

    def download_file(self, bucket, key, path):
        from botocore.exceptions import ClientError

        if key not in self.objects:
            raise ClientError({"Error": {"Code": "404"}, "ResponseMetadata": {"HTTPStatusCode": 404}}, "HeadObject")
        self.fetched.append(key)
        Path(path).write_bytes(self.objects[key])


OBJECTS = {
    "sets/avspeech/avspeech_train.csv": b"-1wCGAxqT_4,87,90,0.4,0.3\nPmD-LzPS2rg,1,5,0.3,0.4\ndeadVideo01,1,5,.5,.5\n",
    "sets/avspeech/a/-1wCGAxqT_4_087.000000-090.000000.mp4": b"one",
    "sets/avspeech/a/PmD-LzPS2rg_1.000000-5.000000.mp4": b"two!",
    "sets/avspeech/a/PmD-LzPS2rg_1.000000-5.000000.wav": b"sound",
    "sets/avspeech/../stray.mp4": b"x", "sets/avspeech/notes.mp4": b"x", "sets/avspeech/a/": b"",
    "sets/avspeech_old/a.mp4": b"x", "elsewhere.mp4": b"x",
}


@pytest.fixture
def bucket(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    fake = FakeS3(dict(OBJECTS))

    def objects(location):
        name, _, prefix = location.removeprefix("s3://").partition("/")
        return RawObjects(name, prefix, client=fake)

    monkeypatch.setattr(raw, "_objects", objects)
    return fake


def test_a_corpus_in_s3_reads_as_a_folder_does(bucket):
    corpus = open_raw("avspeech", "s3://bucket/sets/avspeech/")
    rows = list(read_folder("avspeech", corpus.folder))
    assert [(r.media, r.audio, r.hint) for r in rows if isinstance(r, ClipRow)] == [
        ("a/-1wCGAxqT_4_087.000000-090.000000.mp4", None, (0.4, 0.3)),
        ("a/PmD-LzPS2rg_1.000000-5.000000.mp4", "a/PmD-LzPS2rg_1.000000-5.000000.wav", (0.3, 0.4))]
    assert {(r.source, r.code) for r in rows if isinstance(r, RejectRow)} == {
        ("avspeech_train.csv", "missing_media"), ("notes.mp4", "unlisted"), ("../stray.mp4", "unsafe_path")}
    assert bucket.fetched == ["sets/avspeech/avspeech_train.csv"]      # no media for a listing


def test_a_list_is_fetched_again_when_it_has_changed(bucket):
    open_raw("avspeech", "s3://bucket/sets/avspeech/"), open_raw("avspeech", "s3://bucket/sets/avspeech/")
    assert len(bucket.fetched) == 1
    bucket.objects["sets/avspeech/avspeech_train.csv"] = b"-1wCGAxqT_4,87,90,0.4,0.3\n"
    rows = read_folder("avspeech", open_raw("avspeech", "s3://bucket/sets/avspeech/").folder)
    assert len(list(rows)) == 4 and len(bucket.fetched) == 2


def test_units_in_s3_are_named_by_etag_and_fetched_one_at_a_time(bucket, tmp_path):
    def units():
        corpus = open_raw("avspeech", "s3://bucket/sets/avspeech/")
        return make_units(list(read_folder("avspeech", corpus.folder)), corpus)[0]

    first, second = units()
    assert first.media_sha256 is None and first.media_bytes == 3
    bucket.objects["sets/avspeech/a/PmD-LzPS2rg_1.000000-5.000000.wav"] = b"other"
    assert [u.name == v.name for u, v in zip((first, second), units(), strict=True)] == [True, False]
    path = first.source.fetch(first.row.media, tmp_path / "scratch")
    assert path.read_bytes() == b"one" and path.is_relative_to(tmp_path / "scratch") and path.suffix == ".mp4"
    with pytest.raises(ObjectMissing):
        first.source.fetch("gone.mp4", tmp_path / "scratch")


def test_an_empty_prefix_says_what_to_do(bucket):
    with pytest.raises(CorpusError, match=r"s3://bucket/sets/mead/.*corpora\.mead\.path"):
        open_raw("mead", "s3://bucket/sets/mead/")


def test_cells_of_parquet_files_become_files(tmp_path):
    rows = {"video": [{"bytes": bytes([i]) * 3, "path": f"{i}.webm"} for i in range(5)],
            "audio": [b"a", None, b"c", b"c", b"c"]}
    pq.write_table(pa.table(rows), tmp_path / "t.parquet", row_group_size=2)
    source, scratch = Source(str(tmp_path)), tmp_path / "scratch"
    path = source.fetch("t.parquet//3/video", scratch)
    assert path.name == "video.webm" and path.read_bytes() == b"\3\3\3"
    assert source.fetch("t.parquet//0/audio", scratch).read_bytes() == b"a"
    for name in ("t.parquet//1/audio", "t.parquet//5/video"):
        with pytest.raises(FileNotFoundError):
            source.fetch(name, scratch)


def test_a_name_in_a_cell_does_not_choose_where_it_goes(tmp_path):
    pq.write_table(pa.table({"video": [{"bytes": b"x", "path": "../../evil.sh"}]}), tmp_path / "t.parquet")
    path = Source(str(tmp_path)).fetch("t.parquet//0/video", tmp_path / "scratch")
    assert path == tmp_path / "scratch" / "video.bin"
