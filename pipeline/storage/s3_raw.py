"""Raw datasets in S3: their listing, and one object at a time on this machine's disk. Nothing is ever written there."""

from __future__ import annotations

import io
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.storage.s3 import S3Storage

AHEAD_BYTES = 256 << 10   # asked for at least, so that a shard's small members cost one request together


@dataclass(frozen=True)
class Entry:
    """One object of a listing; `etag` changes when its bytes do."""

    key: str
    bytes: int
    etag: str


class RawObjects(S3Storage):
    """Objects of others below a prefix: no metadata of ours, keys of any form."""

    def entries(self) -> list[Entry]:
        """Every object, sorted by key (relative to the prefix); folder markers are left out."""
        start = f"{self.prefix}/" if self.prefix else ""
        with self._explain_errors("listing"):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=start)
            items = [item for page in pages for item in page.get("Contents", [])]
        return sorted((Entry(item["Key"][len(start):], item["Size"], item["ETag"].strip('"')) for item in items
                       if not item["Key"].endswith("/")), key=lambda entry: entry.key)

    def fetch(self, key: str, path: Path) -> None:
        """Lay an object at `path`, whole or not at all; raises ObjectMissing, PermissionError, S3Unavailable."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        try:
            self._whole_body(lambda: self._stream(key, temporary))
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def open(self, key: str) -> BinaryIO:
        """An object to be read from any place, by requests for ranges; raises ObjectMissing, PermissionError,
        S3Unavailable."""
        return io.BufferedReader(_Ranges(self, key), AHEAD_BYTES)

    def read(self, key: str, start: int, end: int) -> bytes:
        """Bytes [start, end) of an object."""
        return self._whole_body(lambda: self._range(key, start, end))

    def _range(self, key: str, start: int, end: int) -> bytes:
        with self._explain_errors(key):
            answer = self.client.get_object(Bucket=self.bucket, Key=self._key(key), Range=f"bytes={start}-{end - 1}")
            return answer["Body"].read()


class _Ranges(io.RawIOBase):
    """An object as a file."""

    def __init__(self, objects: RawObjects, key: str):
        self._objects, self._key, self._at, self._size = objects, key, 0, objects.size(key)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer) -> int:
        end = min(self._at + len(buffer), self._size)
        if end <= self._at:
            return 0
        data = self._objects.read(self._key, self._at, end)
        buffer[:len(data)] = data
        self._at += len(data)
        return len(data)


def raw_objects(location: str) -> RawObjects:
    """The objects below `s3://bucket/prefix`."""
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    return RawObjects(bucket, prefix)
