"""Raw datasets in S3: their listing, and one object at a time on this machine's disk. Nothing is ever written there."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from pipeline.storage.s3 import S3Storage


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
        with self._explained("listing"):
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

    def _stream(self, key: str, path: Path) -> None:
        with self._explained(key):
            self.client.download_file(self.bucket, self._key(key), str(path))


def raw_objects(location: str) -> RawObjects:
    """The objects below `s3://bucket/prefix`."""
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    return RawObjects(bucket, prefix)
