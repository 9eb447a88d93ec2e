"""sha256 of weight files that the table does not pin, as this machine first saw them.

Some published files have no checksum that we could verify. `playmate weights pull` writes down what it finds; from then
on another content is an error. It says nothing about who made the first one.
"""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.core.atomic import write_json
from pipeline.core.fingerprint import file_sha256
from pipeline.core.paths import weights_cache

FILE = "recorded_sha256.json"


def recorded_sha256(name: str) -> str:
    """What was recorded of a weight; empty where nothing was."""
    return _read().get(name, "")


def record_sha256(name: str, path: Path) -> str:
    """Write down a file's sha256 and return it."""
    found = file_sha256(path)
    write_json(weights_cache() / FILE, _read() | {name: found})
    return found


def _read() -> dict[str, str]:
    path = weights_cache() / FILE
    return json.loads(path.read_text()) if path.is_file() else {}
