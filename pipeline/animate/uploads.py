"""What people send, decoded in a process of its own: bounded in time and memory, replaced when it dies.

One such process serves all of this one: it starts with the first file and ends with us. A driving video, which is read
in parts, gets one for itself.
"""

from __future__ import annotations

import errno
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.animate.decoded import FILM, PICTURES, WAVEFORM, FilmWish, SpeechFacts
from pipeline.compute.guard import Failure, GuardedWorker
from pipeline.weights.table import WeightsError, weight_path

LIMIT_S = 600.0     # wall-clock limit of one file, and of one part of a video
MEMORY_GB = 4.0     # address space over what the process starts with
MODULE = "pipeline.animate.decoding"

Source = Path | str | bytes


class Refused(Exception):
    """A file cannot be used: `code` and `detail` of `MediaError`, timeout, crash or out_of_memory."""

    def __init__(self, code: str, detail: str):
        super().__init__(detail)
        self.code, self.detail = code, detail


def decoded_speech(source: Source, max_s: float,
                   track: int | None) -> tuple[SpeechFacts, np.ndarray, np.ndarray | None]:
    """What was found, waveform float32 [N], the film's sound int16 [M, C] or None; both are maps of files without a
    name. Raises Refused."""
    with _task(source) as (media, folder):
        answer = _ask(_worker(), {"kind": "speech", "media": str(media), "folder": str(folder), "max_s": max_s,
                                  "track": track, "voice": _voice()})
        facts = SpeechFacts(**answer | {"notes": tuple(answer["notes"])})
        film = _map_file(folder / FILM, np.int16).reshape(-1, facts.channels) if facts.has_film else None
        return facts, _map_file(folder / WAVEFORM, np.float32), film


def decoded_portrait(source: Source) -> np.ndarray:
    """RGB [H, W, 3] uint8; raises Refused."""
    with _task(source) as (media, folder):
        _ask(_worker(), {"kind": "portrait", "media": str(media), "folder": str(folder)})
        return np.load(folder / PICTURES, allow_pickle=False)


class FilmReader:
    """Pictures of one video in parts, by a process of its own; close it."""

    def __init__(self, source: Source):
        self._folder = tempfile.TemporaryDirectory(prefix="playmate-")
        self._media = _place(source, Path(self._folder.name))
        self._worker = GuardedWorker(MODULE, {}, LIMIT_S, MEMORY_GB)

    def parts(self, wish: FilmWish, count: int) -> Iterator[tuple[np.ndarray, float]]:
        """(pictures [<= count, h, w, 3], how much larger the video's own are), in order; raises Refused."""
        _ask(self._worker, {"kind": "film", "wish": asdict(wish) | {"media": str(self._media)}})
        while True:
            answer = _ask(self._worker, {"kind": "more", "count": count, "folder": self._folder.name})
            if not answer["pictures"]:
                return
            yield np.load(Path(self._folder.name) / PICTURES, allow_pickle=False), answer["scale"]

    def close(self) -> None:
        self._worker.close()
        self._folder.cleanup()


_lock = threading.Lock()   # threads of the page share the process


@cache
def _worker() -> GuardedWorker:
    return GuardedWorker(MODULE, {}, LIMIT_S, MEMORY_GB)


def _ask(worker: GuardedWorker, task: dict[str, Any]) -> dict[str, Any]:
    with _lock:
        answer = worker.run(task)
    if isinstance(answer, Failure):
        raise Refused(answer.code, answer.detail)
    if "refused" in answer:
        raise Refused(answer["refused"]["code"], answer["refused"]["detail"])
    check_written(answer)
    if "failed" in answer:
        raise Refused("crash", answer["detail"])
    return answer


def check_written(answer: dict[str, Any]) -> None:
    """Raise OSError that names the folder of temporary files where it does not hold what was decoded."""
    if "unwritten" in answer:
        raise OSError(errno.ENOSPC, f"what was decoded cannot be kept there ({answer['unwritten']}): TMPDIR names "
                                    "another folder", tempfile.gettempdir())


@contextmanager
def _task(source: Source) -> Iterator[tuple[Path, Path]]:
    """The file to decode, and a folder for what comes of it."""
    with tempfile.TemporaryDirectory(prefix="playmate-") as folder:
        yield _place(source, Path(folder)), Path(folder)


def _place(source: Source, folder: Path) -> Path:
    if isinstance(source, bytes):
        media = folder / "upload"
        media.write_bytes(source)
        return media
    return Path(source).absolute()


def _map_file(path: Path, dtype: type) -> np.ndarray:
    return np.memmap(path, dtype=dtype, mode="r").view(np.ndarray) if path.stat().st_size else np.zeros(0, dtype)


@cache
def _voice() -> str | None:
    """The network that hears who speaks, to choose among sound tracks; without it the loudest is taken."""
    try:
        return str(weight_path("silero_vad").absolute())
    except WeightsError:
        return None
