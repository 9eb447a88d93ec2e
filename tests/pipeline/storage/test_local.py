"""One interface, two stores: folders, and a real S3 server."""

from __future__ import annotations

import hashlib
import os
import threading

import pytest

from pipeline.storage import ObjectDamaged, ObjectMissing, open_storage
from pipeline.storage import s3 as storage_s3
from pipeline.storage.local import LocalStorage
from pipeline.storage.s3 import S3Storage

pytestmark = pytest.mark.processes


@pytest.fixture(params=["local", "s3", "s3 without prefix"])
def storage(request, tmp_path):
    if request.param == "local":
        return LocalStorage(tmp_path / "root")
    bucket = request.getfixturevalue("s3_bucket")
    return S3Storage(bucket, "some/prefix" if request.param == "s3" else "")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_the_first_of_two_writers_wins(storage):
    assert storage.put_if_absent("a/b.bin", b"one")
    assert not storage.put_if_absent("a/b.bin", b"two")
    assert storage.get("a/b.bin") == b"one" and storage.size("a/b.bin") == 3
    storage.put("a/b.bin", b"three")
    assert storage.get("a/b.bin") == b"three"


def test_one_of_many_writers_wins(storage):
    won = []
    threads = [threading.Thread(target=lambda i=i: won.append(i) if storage.put_if_absent("k", b"%d" % i) else None)
               for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1 and storage.get("k") == b"%d" % won[0]
    assert storage.unfinished() == []


def test_list_knows_folders_from_names_that_begin_alike(storage):
    for key in ("a/1", "a/2", "a/c/3", "ab/4"):
        storage.put(key, b"")
    assert storage.list("a") == sorted(storage.keys("a")) == ["a/1", "a/2", "a/c/3"]
    assert storage.list("nothing") == []


def test_what_is_deleted_is_missing(storage):
    storage.put("a/1", b"")
    storage.delete("a/1")
    storage.delete("a/1")
    for read in (storage.get, storage.size):
        with pytest.raises(ObjectMissing):
            read("a/1")


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a\0b"])
def test_a_key_cannot_leave_its_root(tmp_path, key):
    for storage in (LocalStorage(tmp_path), S3Storage("bucket", "p", client=object())):
        with pytest.raises(ValueError, match="not a storage key"):
            storage.put(key, b"")


@pytest.mark.parametrize("size", [10, 6 << 20])  # the larger one in parts
def test_a_file_comes_back_whole_and_is_not_sent_twice(storage, tmp_path, monkeypatch, size):
    monkeypatch.setattr(storage_s3, "PART_BYTES", 5 << 20)
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    assert storage.put_file("x/file", tmp_path / "file", sha256(data))
    assert not storage.put_file("x/file", tmp_path / "file", sha256(data))
    storage.get_file("x/file", tmp_path / "back" / "file", sha256(data))
    assert (tmp_path / "back" / "file").read_bytes() == data
    assert [path.name for path in (tmp_path / "back").iterdir()] == ["file"]


def test_a_file_that_is_not_what_was_asked_for_is_refused_and_not_left(storage, tmp_path, monkeypatch):
    monkeypatch.setattr(storage_s3, "ATTEMPTS", 2)
    (tmp_path / "file").write_bytes(b"one")
    storage.put_file("x/file", tmp_path / "file", sha256(b"one"))
    with pytest.raises(ObjectDamaged):
        storage.get_file("x/file", tmp_path / "back" / "file", sha256(b"two"))
    assert list((tmp_path / "back").glob("*")) == [] and list((tmp_path / "back").glob(".*")) == []
    with pytest.raises(ObjectMissing):
        storage.get_file("x/none", tmp_path / "back" / "file", sha256(b"one"))


def test_an_altered_file_is_replaced(tmp_path):
    storage = LocalStorage(tmp_path / "root")
    (tmp_path / "file").write_bytes(b"one")
    storage.put("x/file", b"two")
    assert storage.put_file("x/file", tmp_path / "file", sha256(b"one"))
    assert storage.get("x/file") == b"one"


def test_what_a_killed_writer_left_is_found_and_swept(tmp_path):
    storage = LocalStorage(tmp_path)
    storage.put("a/1", b"1")
    (tmp_path / "a" / ".1.deadbeef").write_bytes(b"half")
    (tmp_path / ".making-x").mkdir()
    (tmp_path / ".making-x" / "shard.parquet").write_bytes(b"half")
    assert storage.list("a") == ["a/1"]
    assert storage.unfinished() == [".making-x", "a/.1.deadbeef"]
    for name in storage.unfinished():
        storage.sweep(name)
    assert storage.unfinished() == [] and storage.get("a/1") == b"1"


def test_parts_of_an_upload_that_was_killed_are_found_and_swept(s3_bucket):
    storage = S3Storage(s3_bucket, "p")
    for key in ("p/x/torn", "other/torn"):
        upload = storage.client.create_multipart_upload(Bucket=s3_bucket, Key=key)
        storage.client.upload_part(Bucket=s3_bucket, Key=key, UploadId=upload["UploadId"], PartNumber=1, Body=b"x")
    assert storage.list("x") == []
    assert [name.partition(" ")[2] for name in storage.unfinished()] == ["p/x/torn"]
    storage.sweep(storage.unfinished()[0])
    assert storage.unfinished() == [] and len(S3Storage(s3_bucket).unfinished()) == 1


def test_the_location_chooses_the_store(tmp_path):
    assert isinstance(open_storage(tmp_path), LocalStorage)


def test_an_s3_location_has_bucket_and_prefix(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    storage = open_storage("s3://bucket/some/prefix/")
    assert (storage.bucket, storage.prefix) == ("bucket", "some/prefix")


def test_endpoint_and_credentials_come_from_the_aws_files(s3_server, s3_bucket, tmp_path, monkeypatch):
    for name in s3_server.environment():
        monkeypatch.delenv(name)
    user = s3_server.environment()
    (tmp_path / "config").write_text(f"[profile lab]\nregion = us-east-1\nendpoint_url = {s3_server.endpoint}\n")
    (tmp_path / "credentials").write_text(f"[lab]\naws_access_key_id = {user['AWS_ACCESS_KEY_ID']}\n"
                                          f"aws_secret_access_key = {user['AWS_SECRET_ACCESS_KEY']}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    open_storage(f"s3://{s3_bucket}/p").put("a", b"1")
    assert open_storage(f"s3://{s3_bucket}").get("p/a") == b"1"
