"""A film read in parts by a guarded process: small pictures once, its own pictures forwards or from any frame on, and
its sound. Memory is bounded by one part."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.animate.uploads import check_written
from pipeline.compute.guard import Failure, GuardedWorker
from pipeline.dub.decoding import LOOK_PX, PART_BYTES, PICTURES, SOUND
from pipeline.media.video import BT709, Colours

LIMIT_S = 600.0     # wall-clock limit of one part
MEMORY_GB = 4.0
MAX_SIDE_PX = 7680


class DubError(ValueError):
    """The film cannot be dubbed; the message says why and what to do."""


@dataclass(frozen=True)
class SmallPicture:
    """A frame as a detector sees it: `change` of its colours since the last one, 0 to 1; `scale`: how much larger the
    film's own picture is, `size` its width and height; `rate` the header's frames a second."""

    picture: np.ndarray
    time: Fraction
    change: float
    size: tuple[int, int]
    rate: Fraction
    colours: Colours = BT709

    @property
    def scale(self) -> float:
        return max(self.size) / max(self.picture.shape[:2])


class FilmReader:
    """One film, a path or the bytes of a file; close it."""

    def __init__(self, film: Path | str | bytes):
        self._folder = tempfile.TemporaryDirectory(prefix="playmate-")
        folder = Path(self._folder.name)
        media = folder / "film" if isinstance(film, bytes) else Path(film).absolute()
        if isinstance(film, bytes):
            media.write_bytes(film)
        self.media, self.name = media, "the film" if isinstance(film, bytes) else str(film)
        self._worker = GuardedWorker("pipeline.dub.decoding", {"media": str(media), "folder": str(folder),
                                                               "max_side_px": MAX_SIDE_PX}, LIMIT_S, MEMORY_GB)

    def small(self) -> Iterator[SmallPicture]:
        """All frames, small; raises DubError."""
        self._ask({"kind": "begin", "small": True, "from": None})
        for found, pictures in self._parts(max(1, int(PART_BYTES / (3 * LOOK_PX**2)))):
            for one, picture in zip(found, pictures, strict=True):
                yield SmallPicture(picture, Fraction(one["time"]), one["change"], tuple(one["size"]),
                                   Fraction(one["rate"]), Colours(**one["colours"]))

    def pictures(self, size: tuple[int, int], start: Fraction | None = None,
                 limit: int | None = None) -> Generator[np.ndarray, None, None]:
        """The film's own pictures [H, W, 3] of `size`, from the frame of time `start` on, `limit` at most."""
        self._ask({"kind": "begin", "small": False, "from": None if start is None else str(start)})
        left = np.inf if limit is None else limit
        for _, pictures in self._parts(max(1, int(PART_BYTES / (3 * size[0] * size[1])))):
            yield from pictures[:int(min(left, len(pictures)))]
            left -= len(pictures)
            if left <= 0:
                return

    def sound(self, zero: Fraction, rate_hz: int, channels: int, length_s: float) -> tuple[np.ndarray, list[str]]:
        """The film's sound from `zero` on, float32 [n, channels], a map of a file; raises DubError for none."""
        answer = self._ask({"kind": "sound", "zero": str(zero), "rate_hz": rate_hz, "channels": channels,
                            "length_s": length_s})
        if not answer["samples"]:
            return np.zeros((0, channels), np.float32), answer["notes"]
        sound = np.memmap(Path(self._folder.name) / SOUND, np.float32, "r").reshape(-1, channels)
        return sound.view(np.ndarray), answer["notes"]

    def _parts(self, count: int) -> Iterator[tuple[list[dict[str, Any]], np.ndarray]]:
        while found := self._ask({"kind": "more", "count": count})["found"]:
            yield found, np.load(Path(self._folder.name) / PICTURES, allow_pickle=False)

    def _ask(self, task: dict[str, Any]) -> dict[str, Any]:
        answer = self._worker.run(task)
        if isinstance(answer, Failure):
            raise DubError(f"{self.name} cannot be decoded: {answer.detail}")
        if "refused" in answer:
            raise DubError(f"{self.name} cannot be used: {answer['refused']['detail']}")
        check_written(answer)
        if "failed" in answer:
            raise DubError(f"{self.name} cannot be decoded: {answer['detail']}")
        return answer

    def close(self) -> None:
        self._worker.close()
        self._folder.cleanup()
