"""The local record of a tracked run: every value is a line in a file before anything is sent to a server.

`<folder>/records.jsonl` is the record, `sent.json` says what a server has of it, `files/` holds copies of artifacts
until they are sent, `lock` is held by the process that works on the run.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from pipeline.core.atomic import write_json


@dataclass(frozen=True)
class Sent:
    """How much of a record the server at `uri` has: the bytes before `offset`, as run `run_id`."""

    uri: str = ""
    run_id: str = ""
    offset: int = 0
    ended: bool = False


class Spool:
    """One run's record in `folder`; one process appends at a time (`take` the lock first)."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.records_path = folder / "records.jsonl"
        self._lock: IO | None = None
        self._file: IO | None = None

    def take(self) -> bool:
        """Lock the record for this process; False where another process works on it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = (self.folder / "lock").open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._lock = file
        return True

    def release(self) -> None:
        """Close the record and let others work on it."""
        for file in (self._file, self._lock):
            if file is not None:
                file.close()
        self._file = self._lock = None

    def append(self, kind: str, time_ms: int, **values: Any) -> None:
        """Add one record; it survives a kill of this process from here on."""
        if self._file is None:
            self._cut_torn_line()
            self._file = self.records_path.open("a", encoding="utf-8")
        self._file.write(json.dumps({"kind": kind, "time_ms": time_ms, **values}, sort_keys=True) + "\n")
        self._file.flush()

    def records(self, offset: int = 0) -> Iterator[tuple[dict, int]]:
        """(record, offset behind it) of every whole line from `offset` on."""
        if not self.records_path.is_file():
            return
        with self.records_path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                offset += len(line)
                yield json.loads(line), offset

    def keep_file(self, source: Path) -> str:
        """Copy a file or folder into the record, so that it may change afterwards; returns its name in `files/`."""
        files = self.folder / "files"
        files.mkdir(parents=True, exist_ok=True)
        place = files / str(1 + max((int(path.name) for path in files.iterdir()), default=0))
        place.mkdir()
        if source.is_dir():
            shutil.copytree(source, place / source.name)
        else:
            shutil.copy2(source, place / source.name)
        return f"{place.name}/{source.name}"

    def read_sent(self) -> Sent:
        """What a server has; nothing where the file is absent."""
        try:
            return Sent(**json.loads((self.folder / "sent.json").read_text()))
        except FileNotFoundError:
            return Sent()

    def save_sent(self, sent: Sent) -> None:
        write_json(self.folder / "sent.json", asdict(sent))

    def pending(self) -> int:
        """Number of records that no server has yet."""
        return sum(1 for _ in self.records(self.read_sent().offset))

    def _cut_torn_line(self) -> None:
        """A kill in the middle of a write leaves half a line: it was never a record."""
        if self.records_path.is_file():
            data = self.records_path.read_bytes()
            os.truncate(self.records_path, data.rfind(b"\n") + 1)


def spool_name(name: str, key: str) -> str:
    """Folder name of a run: letters, digits, dot, dash and underscore only."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:60] + "-" + re.sub(r"[^A-Za-z0-9_-]+", "_", key)[:40]


def find_spools(root: Path) -> list[Spool]:
    """All runs recorded under `root`, by name."""
    return [Spool(path.parent) for path in sorted(root.glob("*/records.jsonl"))]
