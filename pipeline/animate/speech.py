"""Speech as people have it: any sound file, or the sound of a video; read once, for the model and for the film.

The model hears 16 kHz mono, the film lets hear the sound in its own quality. Both are maps of files without a name, so
that hours of sound take no memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.motion.clock import SAMPLE_RATE_HZ
from pipeline.animate.decoded import FILM_ONE
from pipeline.animate.uploads import Refused, decoded_speech

if TYPE_CHECKING:
    from pipeline.media.film import Soundtrack

MIN_DURATION_S = 0.2
MAX_DURATION_S = 4 * 3600.0
SILENCE = 1e-3  # the loudest sample of a file without sound stays below (-60 dB)
BLOCK = 1 << 16  # samples of the film's sound that are read at once


class SpeechError(ValueError):
    """The speech cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Speech:
    """Speech that was read and checked."""

    waveform: np.ndarray               # float32 [N], mono at 16 kHz, in [-1, 1]
    film: np.ndarray | None = None     # int16 [M, C] of which `film_one` is 1; None: the film lets hear the waveform
    film_one: float = FILM_ONE
    film_rate_hz: int = SAMPLE_RATE_HZ
    notes: tuple[str, ...] = ()        # what a listener should know

    @property
    def duration_s(self) -> float:
        return len(self.waveform) / SAMPLE_RATE_HZ

    def soundtrack(self) -> Soundtrack:
        """The film's sound; it starts and ends with the waveform."""
        from pipeline.media.film import Soundtrack

        if self.film is None:
            return Soundtrack(SAMPLE_RATE_HZ, 1, (part[None] for part in _blocks(self.waveform)))
        return Soundtrack(self.film_rate_hz, self.film.shape[1],
                          (np.clip(part.T / np.float32(self.film_one), -1, 1) for part in _blocks(self.film)))


def _blocks(samples: np.ndarray) -> Iterator[np.ndarray]:
    return (samples[start:start + BLOCK] for start in range(0, len(samples), BLOCK))


def read_speech(source: Path | str | bytes | np.ndarray | Speech, max_duration_s: float = MAX_DURATION_S,
                track: int | None = None) -> Speech:
    """Decode the sound track of number `track`, else the one in which somebody speaks; raises SpeechError.

    An array is taken as 16 kHz mono: float, or int16. Sound whose samples go beyond 1 is scaled, not cut. What was
    read before is given back.
    """
    if isinstance(source, Speech):
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source)
    name = "the speech" if isinstance(source, bytes) else str(source)
    try:
        facts, waveform, film = decoded_speech(source, max_duration_s, track)
    except Refused as error:
        raise SpeechError(f"{name} {_words(error)}") from error
    where = f" in track {facts.track} of {facts.tracks}" if facts.tracks > 1 else ""
    _check(name, facts.samples, facts.peak, where)
    notes = [f"{name}: {note}" for note in facts.notes]
    if facts.tracks > 1:
        notes.insert(0, f"{name} has {facts.tracks} sound tracks; track {facts.track} is taken")
    return Speech(waveform, film, FILM_ONE * max(1.0, facts.peak), facts.film_rate_hz, tuple(notes))


def _words(error: Refused) -> str:
    if error.code in ("missing_media", "no_sound"):
        return error.detail.removeprefix("it ")
    if error.code == "too_long":
        return f"is {error.detail}: cut it into parts"
    return f"is not sound that can be read ({error.detail})"


def _check(name: str, samples: int, peak: float, where: str = "") -> None:
    if samples < MIN_DURATION_S * SAMPLE_RATE_HZ:
        raise SpeechError(f"{name} has {samples / SAMPLE_RATE_HZ:.2f} s of sound{where}; at least {MIN_DURATION_S} s "
                          "are needed")
    if peak < SILENCE:
        raise SpeechError(f"{name} is silent{where} (loudest sample {peak:.1e} of 1)")


def _from_array(array: np.ndarray) -> Speech:
    if array.ndim != 1:
        raise SpeechError(f"a speech array is mono at 16 kHz, [N], got {list(array.shape)}")
    waveform = array.astype(np.float32) / np.float32(32768 if array.dtype == np.int16 else 1)
    if not np.isfinite(waveform).all():
        raise SpeechError("the speech holds samples that are no numbers")
    peak = float(np.abs(waveform).max(initial=0.0))
    _check("the speech", len(waveform), peak)
    waveform = waveform / np.float32(max(1.0, peak))
    waveform.flags.writeable = False
    return Speech(waveform)
