"""The second pass over a clip: the frames of one piece, cut to its square."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from models.crop import Square, cut
from stages.media.errors import MediaError
from stages.media.steady import steady
from stages.media.video import Upright, opened, timed_frames, video_stream

SEEK_FROM_S = 5  # earlier pieces are cheaper to reach by decoding


def crop_frames(path: Path, zero_s: Fraction, fps: int, first: int, end: int, square: Square,
                size_px: int) -> Iterator[np.ndarray]:
    """Output frames [first, end) of the clip that begins at `zero_s`, each [size_px, size_px, 3] RGB uint8."""
    start_s = zero_s + Fraction(first, fps)
    with opened(path) as container:
        stream = video_stream(container)
        upright = Upright(stream)
        timed = timed_frames(container, stream, start_s if start_s > SEEK_FROM_S else None)
        relative = ((time - zero_s, frame) for time, frame in timed)
        given, shown, crop = first, None, None
        for _, frame in itertools.islice(steady(relative, fps, first), end - first):
            if frame is not shown:
                crop, shown = cut(upright(frame, interpolation="BILINEAR"), square, size_px), frame
            yield crop
            given += 1
        if crop is None:
            raise MediaError("decode", "no_frames", "no frame lies in the piece's time span", 0.0)
        for _ in range(given, end):  # the last picture lasts
            yield crop
