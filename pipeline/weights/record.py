"""sha256 of weight files that the table does not pin, as this machine first saw them.

Some published files have no checksum that we could verify. `playmate weights pull` writes down what it finds; from then
on another content is an error. It says nothing about who made the first one.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path

from pipeline.core.atomic import write_json
from pipeline.core.fingerprint import file_sha256
from pipeline.core.paths import weights_cache

FILE = "recorded_sha256.json"
_ONE_AT_A_TIME = threading.Lock()   # files come in threads


def recorded_sha256(label: str) -> str:
    """What was recorded of a file; empty where nothing was."""
    return read_records(weights_cache()).get(label, "")


def record_sha256(label: str, path: Path) -> str:
    """Write down a file's sha256 and return it."""
    found = file_sha256(path)
    record(label, found)
    return found


def record(label: str, value: str) -> None:
    """Write down a checksum, or the commit of a repository (`NAME@revision`)."""
    with _ONE_AT_A_TIME:
        write_json(weights_cache() / FILE, read_records(weights_cache()) | {label: value})


def read_records(folder: Path) -> dict[str, str]:
    """The records of a cache folder, this one's or one brought from another machine."""
    path = folder / FILE
    return json.loads(path.read_text()) if path.is_file() else {}
