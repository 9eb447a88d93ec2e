"""Which storage a location means."""

from __future__ import annotations

from pathlib import Path

from pipeline.storage.base import Storage
from pipeline.storage.local import LocalStorage


def open_storage(location: str | Path) -> Storage:
    """`s3://bucket/prefix` or a folder."""
    text = str(location)
    if text.startswith("s3://"):
        from pipeline.storage.s3 import S3Storage

        bucket, _, prefix = text.removeprefix("s3://").partition("/")
        return S3Storage(bucket, prefix)
    return LocalStorage(Path(text))
