"""The S3 store: conditional puts, checksums, multipart, retries with jitter. The door to boto3.

Endpoint, region and credentials come from the standard AWS places (environment, ~/.aws, instance role). Throttling, 5xx
and connections that break are tried again by botocore (exponential backoff with jitter); bodies that break or lie
while they are read are tried again here. Errors that trying again cannot mend are raised at once, in words
(pipeline/storage/s3_errors.py).
"""

from __future__ import annotations

import builtins
import hashlib
import os
import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from pipeline.core.fingerprint import file_sha256
from pipeline.storage.base import ObjectDamaged, ObjectMissing, checked_key
from pipeline.storage.s3_errors import PRECONDITION_FAILED, BrokenBody, Refused, explain_errors

ATTEMPTS = 8  # of one request, by botocore; and of one body that breaks or lies
CONFLICT_RETRIES = 20
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10, 60
PART_BYTES = 16 << 20
SHA256, WRITER = "playmate-sha256", "playmate-writer"  # metadata of every object
Result = TypeVar("Result")


class S3Storage:
    """Objects of one bucket below `prefix`."""

    def __init__(self, bucket: str, prefix: str = "", client=None):
        self.bucket, self.prefix, self.client = bucket, prefix.strip("/"), client or make_client()

    def put_if_absent(self, key: str, data: bytes) -> bool:
        writer = uuid.uuid4().hex
        for _ in range(CONFLICT_RETRIES):
            try:
                self._put(key, data, writer, IfNoneMatch="*")
            except Refused as refused:
                if refused.status == PRECONDITION_FAILED:
                    # an answer that got lost makes botocore send the request again: the object may be our own
                    return self._head(key)["Metadata"].get(WRITER) == writer
                time.sleep(random.uniform(0.05, 0.5))  # another writer is under way: whether it ends well is open
            else:
                return True
        raise TimeoutError(f"{self._name(key)}: another writer holds this key")

    def put(self, key: str, data: bytes) -> None:
        self._put(key, data, uuid.uuid4().hex)

    def get(self, key: str) -> bytes:
        return self._whole_body(lambda: self._get(key))

    def put_file(self, key: str, path: Path, sha256: str) -> bool:
        """Multipart above `PART_BYTES`; an object that is there with this checksum is not sent again."""
        try:
            head = self._head(key)
            if head["ContentLength"] == path.stat().st_size and head["Metadata"].get(SHA256) == sha256:
                return False
        except ObjectMissing:
            pass
        from boto3.s3.transfer import TransferConfig

        config = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)
        with self._explain_errors(key):
            self.client.upload_file(str(path), self.bucket, self._key(key), Config=config,
                                    ExtraArgs={"Metadata": {SHA256: sha256, WRITER: uuid.uuid4().hex}})
        return True

    def get_file(self, key: str, path: Path, sha256: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        try:
            self._whole_body(lambda: self._download(key, temporary, sha256))
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def keys(self, prefix: str) -> Iterator[str]:
        start = len(self.prefix) + 1 if self.prefix else 0
        with self._explain_errors(prefix):
            for page in self.client.get_paginator("list_objects_v2").paginate(
                    Bucket=self.bucket, Prefix=self._key(prefix) + "/"):
                yield from (item["Key"][start:] for item in page.get("Contents", []))

    def list(self, prefix: str) -> list[str]:
        return sorted(self.keys(prefix))

    def size(self, key: str) -> int:
        return self._head(key)["ContentLength"]

    def delete(self, key: str) -> None:
        with self._explain_errors(key):
            self.client.delete_object(Bucket=self.bucket, Key=self._key(key))

    def scratch(self) -> dict:
        return {}

    def unfinished(self) -> builtins.list[str]:
        """Multipart uploads that were never completed: invisible, but their parts cost storage."""
        with self._explain_errors("multipart uploads"):
            pages = list(self.client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.bucket, Prefix=f"{self.prefix}/" if self.prefix else ""))
        return sorted(f"{item['UploadId']} {item['Key']}" for page in pages for item in page.get("Uploads", []))

    def sweep(self, unfinished: str) -> None:
        upload, _, key = unfinished.partition(" ")
        with self._explain_errors(key):
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=upload)

    def _put(self, key: str, data: bytes, writer: str, **condition: str) -> None:
        place = {"Bucket": self.bucket, "Key": self._key(key)}
        metadata = {SHA256: hashlib.sha256(data).hexdigest(), WRITER: writer}
        with self._explain_errors(key):
            self.client.put_object(**place, Body=data, Metadata=metadata, **condition)

    def _get(self, key: str) -> bytes:
        with self._explain_errors(key):
            answer = self.client.get_object(Bucket=self.bucket, Key=self._key(key))
            data = answer["Body"].read()
        expected = answer.get("Metadata", {}).get(SHA256)
        if expected not in (None, hashlib.sha256(data).hexdigest()):
            raise ObjectDamaged(f"{self._name(key)}: its bytes are not those that were stored")
        return data

    def _stream(self, key: str, path: Path) -> None:
        with self._explain_errors(key):
            self.client.download_file(self.bucket, self._key(key), str(path))

    def _download(self, key: str, path: Path, sha256: str) -> None:
        self._stream(key, path)
        if file_sha256(path) != sha256:
            raise ObjectDamaged(f"{self._name(key)}: its bytes are not those that were stored")

    def _head(self, key: str) -> dict:
        with self._explain_errors(key):
            return self.client.head_object(Bucket=self.bucket, Key=self._key(key))

    def _whole_body(self, read: Callable[[], Result]) -> Result:
        """`read` again where the connection breaks in the middle of a body, or the bytes are not right."""
        for attempt in range(ATTEMPTS):
            try:
                return read()
            except (ObjectDamaged, BrokenBody):
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(random.uniform(0, min(10.0, 0.05 * 2**attempt)))
        raise AssertionError("unreachable")

    def _explain_errors(self, key: str) -> AbstractContextManager[None]:
        return explain_errors(self.bucket, key, self._name(key))

    def _name(self, key: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}/{key}" if self.prefix else f"s3://{self.bucket}/{key}"

    def _key(self, key: str) -> str:
        return f"{self.prefix}/{checked_key(key)}" if self.prefix else checked_key(key)


def make_client():
    """A client that tries requests again with backoff and jitter, up to `ATTEMPTS` times."""
    import boto3
    from botocore.config import Config

    return boto3.session.Session().client("s3", config=Config(
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"}, connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S, max_pool_connections=16))
