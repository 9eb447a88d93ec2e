"""Decodes what people send, in a guarded process (`pipeline.compute.guard`): speech, portraits, driving videos.

What it finds goes to files of plain samples and pictures. Nothing here imports torch: the process starts at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.face.driving_crop import Square, cut
from models.judges.voice import VoiceActivity
from models.motion.clock import SAMPLE_RATE_HZ
from pipeline.animate.decoded import FILM, FILM_ONE, PICTURES, WAVEFORM, FilmWish, PortraitError, SpeechFacts
from pipeline.animate.picture import read_picture
from pipeline.media.container import MediaError, open_media
from pipeline.media.film import film_rate_hz
from pipeline.media.sound import Piece, Resampler, SpeechShare, Tally, choose_track, mono, pieces
from pipeline.media.video import Limits, Upright, check_size, steady, timed_frames, video_stream

LOOK_PX = 640           # longer side of the pictures that a detector sees
SCALED_AT_ONCE = 2**20


def make_worker(settings: dict[str, Any]) -> Decoder:
    cv2.setNumThreads(1)
    return Decoder()


class Decoder:
    """One task after another: {"kind": speech | portrait | film | more, ...}; a file that cannot be used is an answer
    {"refused": {"code", "detail"}}, a folder that does not hold what comes of it {"unwritten": why}."""

    def __init__(self) -> None:
        self._film: Iterator[tuple[np.ndarray, float]] = iter(())

    def __call__(self, task: dict[str, Any]) -> dict[str, Any]:
        work = {"speech": self._speech, "portrait": self._portrait, "film": self._begin, "more": self._more}
        try:
            return work[task["kind"]](task)
        except MediaError as error:
            return {"refused": {"code": error.code, "detail": error.detail}}
        except PortraitError as error:
            return {"refused": {"code": "portrait", "detail": str(error)}}
        except OSError as error:   # a full disk
            return {"unwritten": error.strerror or str(error)}

    def _speech(self, task: dict[str, Any]) -> dict[str, Any]:
        voice = task["voice"]
        share = None if voice is None else lambda wave: VoiceActivity(Path(voice)).speech_share(wave)
        return asdict(decode_speech(Path(task["media"]), Path(task["folder"]), task["max_s"], task["track"], share))

    def _portrait(self, task: dict[str, Any]) -> dict[str, Any]:
        np.save(Path(task["folder"]) / PICTURES, read_picture(Path(task["media"])))
        return {}

    def _begin(self, task: dict[str, Any]) -> dict[str, Any]:
        self._film = film_pictures(FilmWish(**task["wish"]))
        return {}

    def _more(self, task: dict[str, Any]) -> dict[str, Any]:
        """The next pictures, `count` of them at most, and how much larger the video's own are."""
        found = list(itertools.islice(self._film, task["count"]))
        if found:
            np.save(Path(task["folder"]) / PICTURES, np.stack([picture for picture, _ in found]))
        return {"pictures": len(found), "scale": found[0][1] if found else 1.0}


def decode_speech(source: Path, folder: Path, max_s: float, number: int | None,
                  speech_share: SpeechShare | None) -> SpeechFacts:
    """Decode one sound track once, for the model and for the film; raises MediaError."""
    track, tally = choose_track(source, number, speech_share), Tally()
    channels = track.channels if track.channel is None else 1
    rate_hz = film_rate_hz(track.rate_hz)
    has_film = rate_hz != SAMPLE_RATE_HZ or channels > 1
    to_model, to_film, samples, peak = Resampler(SAMPLE_RATE_HZ), Resampler(rate_hz), 0, 0.0
    with (folder / WAVEFORM).open("wb") as heard, (folder / FILM).open("wb") as film:

        def keep(wave: np.ndarray, stored: np.ndarray) -> None:
            nonlocal samples, peak
            if not np.isfinite(wave).all():
                raise MediaError("decode", "broken_sound", "it holds samples that are no numbers")
            samples, peak = samples + wave.size, max(peak, float(np.abs(wave).max(initial=0.0)))
            heard.write(wave.astype(np.float32).tobytes())
            if has_film:
                film.write(np.round(np.clip(stored.T * FILM_ONE, -32767, 32767)).astype(np.int16).tobytes())
            if samples > max_s * SAMPLE_RATE_HZ:
                raise MediaError("decode", "too_long", f"longer than {max_s:g} s", max_s)

        with open_media(source) as container:
            for piece in pieces(container, track, tally):
                keep(to_model(Piece(piece.rate_hz, mono(piece.samples))), to_film(piece))
        tally.check()
        keep(to_model.end(), to_film.end())
    if peak > 1:
        loud = np.memmap(folder / WAVEFORM, dtype=np.float32, mode="r+")
        for start in range(0, samples, SCALED_AT_ONCE):
            loud[start:start + SCALED_AT_ONCE] /= np.float32(peak)
    notes = tally.notes() + track.notes()
    return SpeechFacts(samples, peak, rate_hz, channels, has_film, track.number, track.count, tuple(notes))


def film_pictures(wish: FilmWish) -> Iterator[tuple[np.ndarray, float]]:
    """(RGB [h, w, 3] upright with square pixels, how much larger the video's own picture is); raises MediaError."""
    with open_media(Path(wish.media)) as container:
        stream = video_stream(container)
        check_size(stream, Limits(wish.max_side_px, float("inf")))
        upright, start = Upright(stream), None

        def relative() -> Iterator:
            nonlocal start
            for time, frame in timed_frames(container, stream):
                start = time if start is None else start
                yield time - start, frame

        shown = itertools.islice(steady(relative(), wish.fps), 0, wish.limit, wish.every)
        for _, frame in shown:
            if wish.square is None:
                picture = upright.small(frame, LOOK_PX)
                yield picture, max(upright.size(frame)) / max(picture.shape[:2])
            else:
                picture = upright(frame, interpolation="BILINEAR")
                yield cut(picture, Square(*wish.square), wish.crop_px), 1.0
