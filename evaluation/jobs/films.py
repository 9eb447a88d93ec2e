"""Videos side by side as one, so that they run on one clock."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.motion.clock import SAMPLE_RATE_HZ
from pipeline.media.crops import read_crop, read_wav
from pipeline.media.film import SYNTHETIC, write_video

COLUMNS = 3  # of a row: on a phone a face is then a hundred pixels wide


def write_grid(path: Path, tiles: list[Path], wav: Path, fps: int, crf: int) -> None:
    """Put our own videos of one size and length into rows of three, with the start of `wav` as sound."""
    videos = [read_crop(tile) for tile in tiles]
    frames = min(len(video) for video in videos)
    blank = np.zeros_like(videos[0][0])

    def picture(t: int) -> np.ndarray:
        pictures = [video[t] for video in videos]
        columns = min(COLUMNS, len(pictures))
        pictures += [blank] * (-len(pictures) % columns)
        rows = [np.concatenate(pictures[start:start + columns], 1) for start in range(0, len(pictures), columns)]
        return np.concatenate(rows, 0)

    waveform = read_wav(wav)[:frames * SAMPLE_RATE_HZ // fps]
    write_video(path, (picture(t) for t in range(frames)), fps, waveform, crf=crf, tags=SYNTHETIC)
