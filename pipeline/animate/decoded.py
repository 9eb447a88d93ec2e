"""What `pipeline.animate.decoding` finds in files that people send, as its parent reads it: without its libraries."""

from __future__ import annotations

from dataclasses import dataclass

FILM_ONE = 16383.0      # of the film's int16: decoders give samples beyond 1
WAVEFORM, FILM, PICTURES = "waveform.f32", "film.s16", "pictures.npy"


class PortraitError(ValueError):
    """A portrait cannot be animated; the message says why and what to do."""


@dataclass(frozen=True)
class SpeechFacts:
    """What the files in the task's folder hold: `WAVEFORM` float32 [samples], `FILM` int16 [M, channels]."""

    samples: int
    peak: float
    film_rate_hz: int
    channels: int
    has_film: bool            # else the film lets hear the waveform
    track: int
    tracks: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class FilmWish:
    """Which pictures of a video are wanted: every `every`-th of the grid i / fps, `limit` frames of the grid at most;
    whole and small, or cut to `square` at `crop_px`."""

    media: str
    fps: int
    limit: int
    every: int
    max_side_px: int
    square: tuple[float, float, float] | None = None
    crop_px: int = 0
