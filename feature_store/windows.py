"""Random training windows as a pure function of (seed, step): a resumed run sees what an undisturbed one sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Window:
    """Frames [start, start + length) of clip `clip` (an index), after `previous` frames of clean motion (0: none)."""

    clip: int
    start: int
    previous: int


def sample_windows(frames: np.ndarray, seed: int, step: int, count: int, window: int, previous: int,
                   start_share: float) -> list[Window]:
    """Draw `count` windows of `window` frames from clips of `frames` [C] frames.

    All positions of all clips are equally likely. A share of `start_share`, and every window whose clip is too
    short for `previous` frames before it, has no previous motion. Raises ValueError where no clip is long enough.
    """
    frames = np.asarray(frames)
    places = np.maximum(frames - window + 1, 0)
    if places.sum() == 0:
        raise ValueError(f"no clip has {window} frames (the longest has {frames.max(initial=0)}): reduce model.window")
    random = np.random.default_rng([seed, step])
    clips = random.choice(len(frames), size=count, p=places / places.sum())
    fresh, position = random.random(count) < start_share, random.random(count)
    return [_window(int(clip), int(frames[clip]), window, 0 if start else previous, at)
            for clip, start, at in zip(clips, fresh, position, strict=True)]


def _window(clip: int, frames: int, window: int, previous: int, position: float) -> Window:
    before = previous if frames >= window + previous else 0
    return Window(clip, before + int(position * (frames - window - before + 1)), before)
