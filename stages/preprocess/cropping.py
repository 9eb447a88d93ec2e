"""The frames of one piece, cut to its square: from the pictures that were kept, else by decoding again."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from models.face.driving_crop import Square, cut
from pipeline.media.container import MediaError, open_media
from pipeline.media.video import Upright, steady, timed_frames, video_stream

SEEK_FROM_S = 5  # earlier pieces are cheaper to reach by decoding


def crop_kept(frames: Sequence[av.VideoFrame], upright: Upright, first: int, end: int, square: Square,
              size_px: int) -> Iterator[np.ndarray]:
    """Output frames [first, end) out of the kept ones, each [size_px, size_px, 3] RGB uint8; the last picture lasts."""
    yield from _lasting(_crops(frames[first:end], upright, square, size_px), end - first)


def crop_frames(path: Path, zero_s: Fraction, fps: int, first: int, end: int, square: Square,
                size_px: int) -> Iterator[np.ndarray]:
    """The same, decoded again: output frames [first, end) of the clip that begins at `zero_s`; raises MediaError."""
    start_s = zero_s + Fraction(first, fps)
    with open_media(path) as container:
        stream = video_stream(container)
        timed = timed_frames(container, stream, start_s if start_s > SEEK_FROM_S else None)
        relative = ((time - zero_s, frame) for time, frame in timed)
        frames = (frame for _, frame in itertools.islice(steady(relative, fps, first), end - first))
        yield from _lasting(_crops(frames, Upright(stream), square, size_px), end - first)


def _crops(frames: Iterable[av.VideoFrame], upright: Upright, square: Square, size_px: int) -> Iterator[np.ndarray]:
    shown = crop = None
    for frame in frames:
        if crop is None or frame is not shown:
            crop, shown = cut(upright(frame, interpolation="BILINEAR"), square, size_px), frame
        yield crop


def _lasting(crops: Iterator[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """`count` pictures: the last one is repeated. Raises MediaError where there is none."""
    given, crop = 0, None
    for given, crop in enumerate(crops, start=1):  # noqa: B007 - used after the loop
        yield crop
    if crop is None:
        raise MediaError("decode", "no_frames", "no frame lies in the piece's time span", 0.0)
    for _ in range(given, count):
        yield crop
