"""Local storage, and the S3 one against a client made here."""

from __future__ import annotations

import threading

import pytest

from pipeline.storage import LocalStorage, ObjectMissing, S3Storage, open_storage


class FakeS3:
    """The five calls that S3Storage makes, with S3's answers."""

    class exceptions:
        class NoSuchKey(Exception):
            pass

    def __init__(self, page: int = 2):
        self.objects: dict[str, bytes] = {}
        self.page, self.conflicts = page, 0

    def put_object(self, Bucket, Key, Body, IfNoneMatch=None):
        from botocore.exceptions import ClientError

        if self.conflicts:
            self.conflicts -= 1
            raise ClientError({"Error": {}, "ResponseMetadata": {"HTTPStatusCode": 409}}, "PutObject")
        if IfNoneMatch == "*" and Key in self.objects:
            raise ClientError({"Error": {}, "ResponseMetadata": {"HTTPStatusCode": 412}}, "PutObject")
        self.objects[Key] = Body

    def get_object(self, Bucket, Key):
        import io

        if Key not in self.objects:
            raise self.exceptions.NoSuchKey
        return {"Body": io.BytesIO(self.objects[Key])}

    def delete_object(self, Bucket, Key):
        self.objects.pop(Key, None)

    def get_paginator(self, name):
        return self

    def paginate(self, Bucket, Prefix):
        keys = [{"Key": key} for key in self.objects if key.startswith(Prefix)]
        pages = [keys[i:i + self.page] for i in range(0, len(keys), self.page)]
        return [{"Contents": page} for page in pages] or [{}]


@pytest.fixture(params=["local", "s3", "s3 without prefix"])
def storage(request, tmp_path):
    if request.param == "local":
        return LocalStorage(tmp_path)
    return S3Storage("bucket", "some/prefix" if request.param == "s3" else "", client=FakeS3())


def test_the_first_of_two_writers_wins(storage):
    assert storage.put_if_absent("a/b.bin", b"one")
    assert not storage.put_if_absent("a/b.bin", b"two")
    assert storage.get("a/b.bin") == b"one"
    storage.put("a/b.bin", b"three")
    assert storage.get("a/b.bin") == b"three"


def test_list_knows_folders_from_names_that_begin_alike(storage):
    for key in ("a/1", "a/2", "a/c/3", "ab/4"):
        storage.put(key, b"")
    assert storage.list("a") == ["a/1", "a/2", "a/c/3"]
    assert storage.list("nothing") == []


def test_what_is_deleted_is_missing(storage):
    storage.put("a/1", b"")
    storage.delete("a/1")
    storage.delete("a/1")
    with pytest.raises(ObjectMissing):
        storage.get("a/1")


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a"])
def test_a_key_cannot_leave_its_root(storage, key):
    with pytest.raises(ValueError, match="not a storage key"):
        storage.put(key, b"")


def test_an_s3_conflict_is_tried_again():
    client = FakeS3()
    client.conflicts = 2
    assert S3Storage("bucket", client=client).put_if_absent("a", b"1")


def test_one_of_many_local_writers_wins_and_leaves_no_temporary_file(tmp_path):
    storage, won = LocalStorage(tmp_path), []
    threads = [threading.Thread(target=lambda i=i: won.append(i) if storage.put_if_absent("k", b"%d" % i) else None)
               for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1 and storage.get("k") == b"%d" % won[0]
    assert [path.name for path in tmp_path.iterdir()] == ["k"]


def test_the_location_chooses_the_store(tmp_path):
    assert isinstance(open_storage(tmp_path), LocalStorage)


def test_an_s3_location_has_bucket_and_prefix(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    storage = open_storage("s3://bucket/some/prefix/")
    assert (storage.bucket, storage.prefix) == ("bucket", "some/prefix")
