"""Decodes the film that is dubbed, in a guarded process (`pipeline.compute.guard`): its pictures at their own times, at
full size or small, and its own sound. Nothing here imports torch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.face.shots import Look, distance
from pipeline.media.container import MediaError, open_media
from pipeline.media.sound import Piece, Resampler, Tally, choose_track, pieces
from pipeline.media.video import (
    EXACT,
    Limits,
    Upright,
    check_range,
    check_size,
    colours_of,
    timed_frames,
    video_stream,
)

PICTURES, SOUND = "pictures.npy", "sound.f32"
LOOK_PX = 640         # longer side of the pictures that a detector sees
SHOT_PX = 64          # and of those whose colours are compared
PART_BYTES = 48e6     # of pictures that are handed over at once


def make_worker(settings: dict[str, Any]) -> FilmDecoder:
    cv2.setNumThreads(1)
    return FilmDecoder(Path(settings["media"]), Path(settings["folder"]), settings["max_side_px"])


class FilmDecoder:
    """One film. Tasks: {"kind": begin, "small": bool, "from": time or None}, {"kind": more, "count"}, {"kind": sound,
    "zero", "rate_hz", "channels", "length_s"}; a film that cannot be used is an answer {"refused": {"code", "detail"}}.

    Times are fractions in words, "1001/30000".
    """

    def __init__(self, media: Path, folder: Path, max_side_px: int):
        self._media, self._folder, self._max_side_px = media, folder, max_side_px
        self._pictures: Iterator[dict[str, Any]] = iter(())

    def __call__(self, task: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"begin": self._begin, "more": self._more, "sound": self._sound}[task["kind"]](task)
        except MediaError as error:
            return {"refused": {"code": error.code, "detail": error.detail}}
        except OSError as error:   # a full disk
            return {"unwritten": error.strerror or str(error)}

    def _begin(self, task: dict[str, Any]) -> dict[str, Any]:
        start = None if task["from"] is None else Fraction(task["from"])
        self._pictures = self._small() if task["small"] else self._full(start)
        return {}

    def _more(self, task: dict[str, Any]) -> dict[str, Any]:
        found = list(itertools.islice(self._pictures, task["count"]))
        if found:
            np.save(self._folder / PICTURES, np.stack([one.pop("picture") for one in found]))
        return {"found": found}

    def _small(self) -> Iterator[dict[str, Any]]:
        """Small pictures with their times, the film's size and rate, and how far the colours are from the last ones."""
        before = None
        with open_media(self._media) as container:
            stream = video_stream(container)
            check_size(stream, Limits(self._max_side_px, float("inf")))
            upright, rate = Upright(stream), str(Fraction(stream.average_rate or stream.guessed_rate or 25))
            for time, frame in timed_frames(container, stream):
                check_range(frame)
                picture = upright.small(frame, LOOK_PX)
                colours = Look.at(upright.small(frame, SHOT_PX, "FAST_BILINEAR"))
                change, before = 0.0 if before is None else distance(before, colours), colours
                width, height = upright.size(frame)
                yield {"time": str(time), "change": change, "size": [width, height], "rate": rate, "picture": picture,
                       "colours": asdict(colours_of(frame))}

    def _full(self, start: Fraction | None, seek: bool = True) -> Iterator[dict[str, Any]]:
        """Pictures from the time `start` on; where seeking lands behind it, as in transport streams, all are read."""
        sought, reached = start is not None and seek, False
        with open_media(self._media) as container:
            stream = video_stream(container)
            check_size(stream, Limits(self._max_side_px, float("inf")))
            upright = Upright(stream)
            for time, frame in timed_frames(container, stream, start if sought else None):
                reached = reached or not sought or start is None or time <= start
                if not reached:
                    break
                if start is None or time >= start:
                    yield {"time": str(time), "picture": upright(frame, interpolation=EXACT)}
        if sought and not reached:
            yield from self._full(start, seek=False)

    def _sound(self, task: dict[str, Any]) -> dict[str, Any]:
        """The film's own sound from the time of its first picture, float32 [n, channels] in the folder."""
        tally, resample, channels = Tally(), Resampler(task["rate_hz"]), task["channels"]
        samples = 0
        with (self._folder / SOUND).open("wb") as out:
            track = choose_track(self._media)

            def keep(stored: np.ndarray) -> int:
                stored = stored.mean(0, keepdims=True) if channels == 1 else np.broadcast_to(
                    stored, (2, stored.shape[1]))
                if not np.isfinite(stored).all():
                    raise MediaError("decode", "broken_sound", "its sound holds samples that are no numbers")
                out.write(np.ascontiguousarray(stored.T, np.float32).tobytes())
                return stored.shape[1]

            with open_media(self._media) as container:
                for piece in pieces(container, track, tally, Fraction(task["zero"]), task["length_s"]):
                    samples += keep(resample(Piece(piece.rate_hz, piece.samples)))
            tally.check()
            samples += keep(resample.end())
        return {"samples": samples, "notes": tally.notes()}
