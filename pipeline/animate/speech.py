"""Speech as people have it: any sound file, or the sound of a video, as 16 kHz mono.

The file is opened by us and handed to PyAV as a byte stream, and only formats that hold media themselves are tried: no
playlist and no URL inside a file makes the decoder open anything else. Decoded sound goes to an unnamed temporary file
that is mapped, so that hours of it take no memory.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

SAMPLE_RATE_HZ = 16000
FORMATS = ("aac,aiff,amr,ac3,ape,asf,au,avi,caf,eac3,flac,flv,matroska,webm,mov,mp4,m4a,3gp,mp3,mpegts,mpeg,ogg,tta,"
           "w64,wav,wv")
MIN_DURATION_S = 0.2
MAX_DURATION_S = 4 * 3600.0
SCALED_AT_ONCE = 2**20
SILENCE = 1e-3  # the loudest sample of a file without sound stays below (-60 dB)


class SpeechError(ValueError):
    """The speech cannot be used; the message says why and what to do."""


@contextmanager
def open_media(source: Path | str | bytes) -> Iterator[av.container.InputContainer]:
    """Open hostile media without following links in it; raises what PyAV raises, and SpeechError for no file."""
    if not isinstance(source, bytes) and not Path(source).is_file():
        raise SpeechError(f"{source} does not exist or is not a file")
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    with _stream(source) as file, av.open(file, "r", options=options) as media:
        yield media


def _stream(source: Path | str | bytes) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return Path(source).open("rb")
    except PermissionError as error:
        raise SpeechError(f"{source} cannot be read: {error.strerror}") from error


def read_speech(source: Path | str | bytes | np.ndarray, max_duration_s: float = MAX_DURATION_S) -> np.ndarray:
    """Decode the first sound track -> float32 [N] mono at 16 kHz, in [-1, 1]; raises SpeechError.

    An array is taken as 16 kHz mono: float, or int16. Floats beyond 1 are scaled, not cut. The result is a read-only
    map.
    """
    if isinstance(source, np.ndarray):
        return _checked([_from_array(source)], "the speech")
    name = _name(source)
    try:
        return _checked(_within(decoded(source, SAMPLE_RATE_HZ, "mono"), max_duration_s, name), name)
    except av.FFmpegError as error:
        raise SpeechError(f"{name} is not sound that can be read ({error.strerror})") from error


def decoded(source: Path | str | bytes, rate_hz: int, layout: str) -> Iterator[np.ndarray]:
    """Pieces [C, n] float32 of the first sound track, gapless; raises SpeechError for none, and what PyAV raises."""
    with open_media(source) as media:
        track = first_sound(media, source)
        resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate_hz)
        for frame in media.decode(track):
            frame.pts = None  # gaps and jumps of a damaged clock are not speech
            yield from (piece.to_ndarray() for piece in resampler.resample(frame))
        yield from (piece.to_ndarray() for piece in resampler.resample(None))


def first_sound(media: av.container.InputContainer, source: Path | str | bytes) -> av.AudioStream:
    """The sound track that is used; raises SpeechError."""
    if not media.streams.audio:
        raise SpeechError(f"{_name(source)} has no sound track")
    return media.streams.audio[0]


def _name(source: Path | str | bytes) -> str:
    return "the speech" if isinstance(source, bytes) else str(source)


def _within(pieces: Iterator[np.ndarray], max_duration_s: float, name: str) -> Iterator[np.ndarray]:
    count = 0
    for piece in pieces:
        count += piece.shape[1]
        if count > max_duration_s * SAMPLE_RATE_HZ:
            raise SpeechError(f"{name} is longer than {max_duration_s:g} s: cut it into parts")
        yield piece[0]


def _from_array(array: np.ndarray) -> np.ndarray:
    if array.ndim != 1:
        raise SpeechError(f"a speech array is mono at 16 kHz, [N], got {list(array.shape)}")
    return array.astype(np.float32) / (32768.0 if array.dtype == np.int16 else 1.0)


def _checked(pieces: Iterable[np.ndarray], name: str) -> np.ndarray:
    """Join pieces [n] that are finite, long and loud enough together, brought within [-1, 1]."""
    samples, peak = 0, 0.0
    with tempfile.TemporaryFile() as file:
        for piece in pieces:
            if not np.isfinite(piece).all():
                raise SpeechError(f"{name} holds samples that are no numbers")
            samples, peak = samples + len(piece), max(peak, float(np.abs(piece).max(initial=0.0)))
            file.write(piece.astype(np.float32).tobytes())
        if samples < MIN_DURATION_S * SAMPLE_RATE_HZ:
            raise SpeechError(f"{name} has {samples / SAMPLE_RATE_HZ:.2f} s of sound; at least {MIN_DURATION_S} s are "
                              "needed")
        if peak < SILENCE:
            raise SpeechError(f"{name} is silent (loudest sample {peak:.1e} of 1)")
        file.flush()
        joined = np.memmap(file, dtype=np.float32, mode="r+")
        if peak > 1:
            for start in range(0, samples, SCALED_AT_ONCE):
                joined[start:start + SCALED_AT_ONCE] /= peak
        joined.flags.writeable = False
        return joined.view(np.ndarray)
