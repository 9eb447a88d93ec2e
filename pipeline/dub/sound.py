"""The dubbed film's sound: the new speech in place of the film's own, or over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

from pipeline.animate.speech import Speech
from pipeline.dub.reader import FilmReader
from pipeline.media.film import Soundtrack
from pipeline.media.sound import Piece, Resampler

MIX_RATE_HZ = 48000
MAX_DB = 20.0


def dubbed_sound(reader: FilmReader, speech: Speech, zero: Fraction, duration_s: Fraction, keep_sound_db: float | None,
                 tell: Callable[[str], None]) -> Soundtrack:
    """Sound of exactly the film's length; `keep_sound_db`: the film's own sound stays under the speech at that gain.

    Raises ValueError for a gain that is none, DubError where the film's sound is asked for and cannot be read.
    """
    track = speech.soundtrack()
    if keep_sound_db is None:
        return Soundtrack(track.rate_hz, track.channels, to_length(track.pieces, track.channels,
                                                                   round(duration_s * track.rate_hz)))
    check_gain(keep_sound_db)
    own, notes = reader.sound(zero, MIX_RATE_HZ, 2, float(duration_s))
    for note in notes:
        tell(f"the film's own sound: {note}")
    spoken = to_length(_stereo(_at_rate(track, MIX_RATE_HZ)), 2, round(duration_s * MIX_RATE_HZ))
    return Soundtrack(MIX_RATE_HZ, 2, mix(spoken, own, 10 ** (keep_sound_db / 20)))


def check_gain(keep_sound_db: float | None) -> None:
    """Raise ValueError for a gain that is none."""
    if keep_sound_db is not None and not -120 <= keep_sound_db <= MAX_DB:
        raise ValueError(f"keep sound {keep_sound_db:g} dB: from -120 to {MAX_DB:g}")


def to_length(pieces: Iterator[np.ndarray], channels: int, samples: int) -> Iterator[np.ndarray]:
    """Pieces [C, n] cut, or followed by silence, so that they add up to `samples`."""
    left = samples
    for piece in pieces:
        kept = piece[:, :left]
        left -= kept.shape[1]
        yield kept
        if left <= 0:
            return
    while left > 0:
        more = min(left, 1 << 16)
        left -= more
        yield np.zeros((channels, more), np.float32)


def mix(spoken: Iterator[np.ndarray], own: np.ndarray, gain: float) -> Iterator[np.ndarray]:
    """Speech [C, n] in pieces over the film's own sound [M, C] times `gain`; peaks are cut at 1."""
    done = 0
    for piece in spoken:
        under = own[done:done + piece.shape[1]].T
        both = np.array(piece, np.float32)
        both[:, :under.shape[1]] += np.float32(gain) * under
        done += both.shape[1]
        yield np.clip(both, -1, 1)


def _at_rate(track: Soundtrack, rate_hz: int) -> Iterator[np.ndarray]:
    if track.rate_hz == rate_hz:
        yield from track.pieces
        return
    resample = Resampler(rate_hz)
    for piece in track.pieces:
        yield resample(Piece(track.rate_hz, np.ascontiguousarray(piece, np.float32)))
    yield resample.end()


def _stereo(pieces: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    return (np.repeat(piece, 2, axis=0) if len(piece) == 1 else piece for piece in pieces)
