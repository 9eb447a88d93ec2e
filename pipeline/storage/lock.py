"""One writer at a time on one machine: a lock that the system drops when its process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Busy(RuntimeError):
    """Another process holds the lock; the message says which."""


@contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path` for the block; raises Busy where another process does `what` right now.

    A stage that lost its `dvc` (killed) still holds it, so its successor cannot write beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise Busy(f"another {what} is running (process {holder}): wait until it ends, or end it") from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
