"""Finished work as files of a folder."""

from __future__ import annotations

import builtins
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from pipeline.core.atomic import link_or_copy
from pipeline.core.fingerprint import file_sha256
from pipeline.storage.base import ObjectDamaged, ObjectMissing, checked_key


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

    def put_file(self, key: str, path: Path, sha256: str) -> bool:
        target = self._path(key)
        if target.is_file() and file_sha256(target) == sha256:
            return False
        link_or_copy(path, target)
        return True

    def get_file(self, key: str, path: Path, sha256: str) -> None:
        source = self._path(key)
        if not source.is_file():
            raise ObjectMissing(key)
        if file_sha256(source) != sha256:
            raise ObjectDamaged(f"{source}: its bytes are not those that were stored")
        link_or_copy(source, path)

    def keys(self, prefix: str) -> Iterator[str]:
        for folder, _, names in os.walk(self._path(prefix)):
            below = Path(folder).relative_to(self.root).as_posix()
            if "/." not in f"/{below}":
                yield from (f"{below}/{name}" for name in names if not name.startswith("."))

    def list(self, prefix: str) -> list[str]:
        return sorted(self.keys(prefix))

    def size(self, key: str) -> int:
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError as error:
            raise ObjectMissing(key) from error

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def scratch(self) -> dict:
        self.root.mkdir(parents=True, exist_ok=True)
        return {"dir": self.root, "prefix": ".making-"}  # the same file system: `put_file` links

    def unfinished(self) -> builtins.list[str]:
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob(".*"))

    def sweep(self, unfinished: str) -> None:
        path = self._path(unfinished)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.root / checked_key(key)

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
