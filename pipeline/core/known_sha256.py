"""sha256 of files that were hashed before: read again only where name, inode, size or time of change differ.

Reading every raw file and every crop at each run takes hours at the paper's size. A file that was written within the
last seconds is hashed and not remembered: a second write in the same tick of the clock would go unseen.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from functools import lru_cache
from pathlib import Path

from pipeline.core.fingerprint import file_sha256
from pipeline.core.paths import WORK

SETTLED_NS = 2 * 10**9  # coarser than the clock of any file system in use


def known_sha256(path: Path) -> str:
    """sha256 of a file's bytes, remembered in the project's work folder; raises OSError."""
    return _store((WORK / "work" / "sha256.sqlite").absolute()).sha256(path)


@lru_cache(maxsize=4)
def _store(path: Path) -> KnownFiles:
    return KnownFiles(path)


class KnownFiles:
    """A table of hashes in one SQLite file, for the threads of a process and for processes beside each other."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._table = _open(path)
        except sqlite3.DatabaseError:  # damaged: nothing is lost but time
            path.unlink()
            self._table = _open(path)

    def sha256(self, path: Path) -> str:
        """The remembered hash of a file that has not changed since, else that of its bytes; raises OSError."""
        name, state = os.path.abspath(path), path.stat()
        seen = (state.st_ino, state.st_size, state.st_mtime_ns)
        with self._lock:
            row = self._table.execute("SELECT inode, bytes, mtime_ns, sha256 FROM files WHERE path = ?",
                                      (name,)).fetchone()
        if row is not None and row[:3] == seen:
            return row[3]
        found = file_sha256(path)
        after = path.stat()
        if seen == (after.st_ino, after.st_size, after.st_mtime_ns) and time.time_ns() - seen[2] > SETTLED_NS:
            with self._lock:
                self._table.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", (name, *seen, found))
        return found


def _open(path: Path) -> sqlite3.Connection:
    table = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
    try:
        table.execute("PRAGMA journal_mode = WAL")      # with NORMAL no write waits for the disk: what a crash takes
        table.execute("PRAGMA synchronous = NORMAL")    # is hashed again
        table.execute("CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, inode INTEGER, bytes INTEGER, "
                      "mtime_ns INTEGER, sha256 TEXT)")
    except sqlite3.DatabaseError:
        table.close()
        raise
    return table
