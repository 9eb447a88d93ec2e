"""Where finished work is kept: a local folder or an S3 prefix behind one small interface.

Keys are relative paths with `/`. An object is whole or absent, and `put_if_absent` has one winner: both stores
promise it (hard link; conditional put). boto3 is imported only here.
"""

from __future__ import annotations

import os
import random
import time
import uuid
from pathlib import Path, PurePosixPath
from typing import Protocol

CONFLICT, PRECONDITION_FAILED = 409, 412
CONFLICT_RETRIES = 20


class ObjectMissing(KeyError):
    """There is no object of this key."""


class Storage(Protocol):
    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write a new object; False, and nothing changes, where the key exists."""

    def put(self, key: str, data: bytes) -> None:
        """Write or replace an object."""

    def get(self, key: str) -> bytes:
        """Read an object; raises ObjectMissing."""

    def list(self, prefix: str) -> list[str]:
        """All keys below the folder `prefix`, sorted."""

    def delete(self, key: str) -> None:
        """Remove an object; a missing one is no error."""


def open_storage(location: str | Path) -> Storage:
    """`s3://bucket/prefix` or a folder."""
    text = str(location)
    if text.startswith("s3://"):
        bucket, _, prefix = text.removeprefix("s3://").partition("/")
        return S3Storage(bucket, prefix)
    return LocalStorage(Path(text))


def _checked(key: str) -> str:
    path = PurePosixPath(key)
    if not key or path.is_absolute() or ".." in path.parts or str(path) != key:
        raise ValueError(f"not a storage key: {key!r}")
    return key


class LocalStorage:
    """Objects are files below `root`; a temporary file starts with a dot and is never listed."""

    def __init__(self, root: Path):
        self.root = root

    def put_if_absent(self, key: str, data: bytes) -> bool:
        temporary = self._write_temporary(key, data)
        try:
            os.link(temporary, self._path(key))
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        return True

    def put(self, key: str, data: bytes) -> None:
        os.replace(self._write_temporary(key, data), self._path(key))

    def get(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError as error:
            raise ObjectMissing(key) from error

    def list(self, prefix: str) -> list[str]:
        folder = self._path(prefix)
        files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
        return sorted(path.relative_to(self.root).as_posix() for path in files)

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.root / _checked(key)

    def _write_temporary(self, key: str, data: bytes) -> Path:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return temporary


class S3Storage:
    """Objects of one bucket below `prefix`; endpoint, region and credentials from the standard AWS places."""

    def __init__(self, bucket: str, prefix: str = "", client=None):
        if client is None:
            import boto3
            from botocore.config import Config

            client = boto3.client("s3", config=Config(retries={"max_attempts": 8, "mode": "adaptive"}))
        self.bucket, self.prefix, self.client = bucket, prefix.strip("/"), client

    def put_if_absent(self, key: str, data: bytes) -> bool:
        from botocore.exceptions import ClientError

        for _ in range(CONFLICT_RETRIES):
            try:
                self.client.put_object(Bucket=self.bucket, Key=self._key(key), Body=data, IfNoneMatch="*")
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status == PRECONDITION_FAILED:
                    return False
                if status != CONFLICT:  # another writer of this key is under way: whether it ends well is open
                    raise
                time.sleep(random.uniform(0.05, 0.5))
            else:
                return True
        raise TimeoutError(f"s3://{self.bucket}/{self._key(key)}: another writer holds this key")

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=self._key(key), Body=data)

    def get(self, key: str) -> bytes:
        try:
            return self.client.get_object(Bucket=self.bucket, Key=self._key(key))["Body"].read()
        except self.client.exceptions.NoSuchKey as error:
            raise ObjectMissing(key) from error

    def list(self, prefix: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket,
                                                                      Prefix=self._key(prefix) + "/")
        start = len(self.prefix) + 1 if self.prefix else 0
        return sorted(item["Key"][start:] for page in pages for item in page.get("Contents", []))

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=self._key(key))

    def _key(self, key: str) -> str:
        return f"{self.prefix}/{_checked(key)}" if self.prefix else _checked(key)
