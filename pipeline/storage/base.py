"""Where finished work is kept: one small interface, and what it raises; a folder or an S3 prefix stands behind it.

Keys are relative paths with `/`. An object is whole or absent, and `put_if_absent` has one winner: both stores
promise it (hard link; conditional put). boto3 is imported only in pipeline/storage/s3*.py.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol


class ObjectMissing(KeyError):
    """There is no object of this key."""


class ObjectDamaged(OSError):
    """The bytes of an object are not those that were stored."""


class Storage(Protocol):
    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write a new object; False, and nothing changes, where the key exists."""

    def put(self, key: str, data: bytes) -> None:
        """Write or replace an object."""

    def get(self, key: str) -> bytes:
        """Read an object; raises ObjectMissing, ObjectDamaged."""

    def put_file(self, key: str, path: Path, sha256: str) -> bool:
        """Store a large file of known content; False where an object of that key and content is there."""

    def get_file(self, key: str, path: Path, sha256: str) -> None:
        """Lay an object of known content at `path`, whole or not at all; raises ObjectMissing, ObjectDamaged."""

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys below the folder `prefix`, in any order, without holding them all."""

    def list(self, prefix: str) -> list[str]:
        """All keys below the folder `prefix`, sorted."""

    def size(self, key: str) -> int:
        """Bytes of an object; raises ObjectMissing."""

    def delete(self, key: str) -> None:
        """Remove an object; a missing one is no error."""

    def scratch(self) -> dict:
        """Where a large file is made before `put_file`: arguments of `tempfile`."""

    def unfinished(self) -> builtins.list[str]:
        """What writers that were killed left behind: names for `sweep`."""

    def sweep(self, unfinished: str) -> None:
        """Remove one of `unfinished`."""


def checked_key(key: str) -> str:
    """`key` itself; raises ValueError where it could leave its root."""
    path = PurePosixPath(key)
    if not key or path.is_absolute() or ".." in path.parts or str(path) != key or "\0" in key:
        raise ValueError(f"not a storage key: {key!r}")
    return key
