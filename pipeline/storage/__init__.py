"""Where finished work is kept, here or on S3, and who may write to it."""

from pathlib import Path

from pipeline.storage.base import ObjectDamaged, ObjectMissing, Storage
from pipeline.storage.lease import Busy, exclusive, hold
from pipeline.storage.local import LocalStorage

__all__ = ["Busy", "ObjectDamaged", "ObjectMissing", "Storage", "exclusive", "hold", "open_storage"]


def open_storage(location: str | Path) -> Storage:
    """`s3://bucket/prefix` or a folder."""
    text = str(location)
    if text.startswith("s3://"):
        from pipeline.storage.s3 import S3Storage

        bucket, _, prefix = text.removeprefix("s3://").partition("/")
        return S3Storage(bucket, prefix)
    return LocalStorage(Path(text))
