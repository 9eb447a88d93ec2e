"""What a stage is doing, in a small file that another shell can read: `.playmate/status/<stage>[@<corpus>].json`.

`run_as_stage` writes it at both ends; loops call `report`, which writes at most once in `EVERY_S`. A file that cannot
be written (a full disk) never stops the work. It is a log, not truth: nothing reads it but `playmate status`.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

from pipeline.core.atomic import write_json
from pipeline.core.paths import WORK

FOLDER = WORK / "status"
EVERY_S = 1.0
RUNNING, DONE, FAILED, DIED, ELSEWHERE = "running", "done", "failed", "died", "on another machine"
SAME_START_S = 2.0  # a process' start is known no better


@dataclass(frozen=True)
class Beat:
    """State of one stage. Times are seconds since 1970; `done` of `total` in `unit`."""

    stage: str
    state: str
    pid: int
    host: str
    pid_began: float
    began: float
    updated: float
    done: int = 0
    total: int = 0
    unit: str = ""
    rejected: int = 0
    rate_per_s: float = 0.0
    left_s: float | None = None
    detail: str = ""


_current: Beat | None = None
_path: Path | None = None


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Running until the block ends: done, or failed with the error's first line.

    Where the same stage is running already this one says nothing: its lock will refuse it, and the file is the other's.
    """
    global _current, _path  # one stage a process  # noqa: PLW0603
    now, path = time.time(), (FOLDER / f"{name}.json").absolute()
    found = _read(path)
    _path = None if found is not None and found.state == RUNNING else path
    _current = Beat(name, RUNNING, os.getpid(), socket.gethostname(), psutil.Process().create_time(), now, now)
    _write(_current)
    try:
        yield
    except BaseException as error:
        _end(FAILED, (str(error).splitlines() or [type(error).__name__])[0][:200])
        raise
    _end(DONE, "")


def report(done: int, total: int, unit: str, rejected: int = 0, rate_per_s: float | None = None,
           left_s: float | None = None) -> None:
    """Progress of the running stage; outside of one nothing happens. Rate and time left are worked out if not given."""
    global _current  # noqa: PLW0603
    if _current is None:
        return
    now = time.time()
    rate = done / max(now - _current.began, 1e-9) if rate_per_s is None else rate_per_s
    left = (total - done) / rate if left_s is None and rate > 0 else left_s
    last = _current.updated
    beat = replace(_current, done=done, total=total, unit=unit, rejected=rejected, rate_per_s=rate, left_s=left)
    _current = beat
    if now - last >= EVERY_S or done >= total:
        _current = replace(beat, updated=now)
        _write(_current)


def read_all(folder: Path = FOLDER) -> list[Beat]:
    """Every stage's last word, as it is now: one that says running but whose process is gone has died."""
    beats = [beat for path in folder.glob("*.json") if (beat := _read(path)) is not None]
    return sorted(beats, key=lambda beat: beat.began)


def _read(path: Path) -> Beat | None:
    """None where there is no file, or one of another version."""
    with suppress(TypeError, json.JSONDecodeError, FileNotFoundError):
        return _as_it_is(Beat(**json.loads(path.read_text())))
    return None


def _as_it_is(beat: Beat) -> Beat:
    if beat.state != RUNNING:
        return beat
    if beat.host != socket.gethostname():
        return replace(beat, state=ELSEWHERE)
    return beat if _alive(beat) else replace(beat, state=DIED)


def _alive(beat: Beat) -> bool:
    try:
        process = psutil.Process(beat.pid)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - beat.pid_began) < SAME_START_S
    except psutil.NoSuchProcess:
        return False


def _end(state: str, detail: str) -> None:
    global _current  # noqa: PLW0603
    if _current is not None:
        _write(replace(_current, state=state, detail=detail, updated=time.time(), left_s=None))
    _current = None


def _write(beat: Beat) -> None:
    if _path is not None:
        with suppress(OSError):
            write_json(_path, asdict(beat))
