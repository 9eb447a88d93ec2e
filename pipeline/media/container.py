"""One opening of media that strangers made: from a path or from bytes, with errors that say why a file cannot be used.

The file is opened by us and handed to the decoder as a stream, and only formats that hold media themselves are tried:
no playlist, image sequence or address inside a file makes it open anything else.
"""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer

FORMATS = ("aac,ac3,aiff,amr,ape,asf,au,avi,caf,eac3,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpegts,mpeg,"
           "ogg,tta,w64,wav,wv")


class MediaError(Exception):
    """A file cannot be used: `stage` and `code` name the reason, `value` is the measured value it is about."""

    def __init__(self, stage: str, code: str, detail: str, value: float | None = None):
        super().__init__(f"{stage}/{code}: {detail}")
        self.stage, self.code, self.detail, self.value = stage, code, detail[:500], value


@contextmanager
def open_media(source: Path | bytes) -> Iterator[InputContainer]:
    """Open media of a known format; raises MediaError, also for what the decoder refuses inside the block."""
    with _stream(source) as file:
        try:
            container = av.open(file, "r", metadata_errors="replace", container_options={
                "protocol_whitelist": "file", "format_whitelist": FORMATS})
        except (av.FFmpegError, ValueError) as error:
            refused = getattr(error, "errno", None) == errno.EINVAL   # by the list of formats
            said = "its format is none that is read here, such as MP4 or WAV" if refused else words(error)
            raise MediaError("probe", "unreadable", said) from error
        try:
            with container:
                yield container
        except av.FFmpegError as error:
            raise MediaError("decode", "broken_media", words(error)) from error


def _stream(source: Path | bytes) -> BinaryIO:
    if isinstance(source, bytes):
        if not source:
            raise MediaError("probe", "empty_file", "the file has no bytes", 0.0)
        return io.BytesIO(source)
    if not source.is_file():
        raise MediaError("read", "missing_media", "it does not exist or is not a file")
    try:
        file = source.open("rb")
    except OSError as error:
        raise MediaError("read", "missing_media", f"it cannot be read: {error.strerror}") from error
    if source.stat().st_size == 0:
        file.close()
        raise MediaError("probe", "empty_file", "the file has no bytes", 0.0)
    return file


def words(error: Exception) -> str:
    """The decoder's message without the file's path."""
    return str(getattr(error, "strerror", None) or type(error).__name__)


def start_s(container: InputContainer) -> Fraction:
    """Where the file's own timeline begins, in s (a transport stream's may be anywhere)."""
    return Fraction(container.start_time or 0, av.time_base)
