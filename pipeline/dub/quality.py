"""How well a dubbed film is encoded: so well that what was not touched stays as it was to the eye."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np

from models.motion.clock import FPS
from pipeline.dub.cast import Cast
from pipeline.dub.reader import FilmReader
from pipeline.media.container import open_media
from pipeline.media.film import write_video
from pipeline.media.video import EXACT, Colours, Upright, timed_frames, video_stream

CRFS = (16, 14, 12, 10, 8, 6, 4)
SAMPLE_BYTES = 100e6                  # of pictures that are tried
NEAR = 0.85                           # of 255, mean; the rest of the film may differ by a little more


def film_crf(reader: FilmReader, cast: Cast) -> int:
    """What a film is to be written with, tried on up to a second from its middle; raises DubError."""
    width, height = cast.size
    half, count = len(cast.times) // 2, max(1, min(FPS, int(SAMPLE_BYTES / (3 * width * height))))
    with closing(reader.pictures(cast.size, cast.times[half] if half else None, count)) as pictures:
        return faithful_crf([one[:height // 2 * 2, :width // 2 * 2] for one in pictures], cast.colours)


def faithful_crf(pictures: list[np.ndarray], colours: Colours) -> int:
    """The first of `CRFS` by which successive pictures [H, W, 3] written and read again differ by at most `NEAR`:
    a film with grain wants a lower one than a clean film; else the last."""
    with tempfile.TemporaryDirectory(prefix="playmate-") as folder:
        for crf in CRFS[:-1]:
            if apart(pictures, Path(folder) / f"{crf}.mp4", crf, colours) <= NEAR:
                return crf
    return CRFS[-1]


def apart(pictures: list[np.ndarray], path: Path, crf: int, colours: Colours) -> float:
    """Mean difference of pictures from those of the film that is written of them as `path`."""
    write_video(path, pictures, FPS, crf=crf, colours=colours)
    with open_media(path) as container:
        stream = video_stream(container)
        upright = Upright(stream)
        again = (upright(frame, interpolation=EXACT) for _, frame in timed_frames(container, stream))
        return float(np.mean([np.abs(one.astype(np.int16) - other).mean()
                              for one, other in zip(pictures, again, strict=True)]))
