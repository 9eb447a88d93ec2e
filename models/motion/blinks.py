"""Blinks, drawn as what they are: a process of its own that the speech does not decide.

A model that predicts motion from speech learns the blinks of its training clips by heart and puts few on a new voice
(1 to 8 a minute where people have 15 to 20, half way often); nothing in the sound says when a lid falls. So generated
motion gets them here, from its seed, and a face space says what shutting its eyes means.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.motion.clock import FPS
from models.motion.face_space import FaceSpace
from models.motion.motion import RHO_DIM

INTERVAL_S = (2.1, 5.4)   # from blink to blink: 16 a minute, and no film of six seconds is without one
FIRST_S = (0.3, 3.3)      # the first one: about 2 s, as long as it is to the next blink from any moment
LENGTH_S = (0.24, 0.36)   # six to nine frames, of which one at least is shut; people's last 150 to 400 ms
CLOSES, OPENS = 0.33, 0.5  # shares of a blink's time: lids fall quicker than they rise, and stay shut between
STREAM = 7                # apart from the seeds that the motion's own noise has


class BlinkSequence:
    """Lid closure of a film without an end, frame by frame, from its seed."""

    def __init__(self, seed: int):
        self._random = np.random.default_rng([seed, STREAM])
        self._frame, self._blinks = 0, [self._draw(self._random.uniform(*FIRST_S))]

    def take(self, frames: int) -> np.ndarray:
        """Closure [frames] of the next frames: 0 open, 1 shut."""
        times_s = (self._frame + np.arange(frames)) / FPS
        self._frame += frames
        while self._blinks[-1][0] < self._frame / FPS:
            self._blinks.append(self._draw(self._blinks[-1][0] + self._random.uniform(*INTERVAL_S)))
        closed = np.zeros(frames)
        for start_s, length_s in self._blinks:
            closed = np.maximum(closed, blink_shape((times_s - start_s) / length_s))
        self._blinks = [blink for blink in self._blinks if sum(blink) > self._frame / FPS]
        return closed

    def _draw(self, start_s: float) -> tuple[float, float]:
        return start_s, float(self._random.uniform(*LENGTH_S))


def blink_shape(share: np.ndarray) -> np.ndarray:
    """Closure over a blink's own time 0-1: shut from a third to a half of it."""
    fall, rise = np.clip(share / CLOSES, 0, 1), np.clip((1 - share) / OPENS, 0, 1)
    return (3 * fall**2 - 2 * fall**3) * (3 * rise**2 - 2 * rise**3)


def with_blinks(space: FaceSpace, x_c: np.ndarray, windows: Iterator[np.ndarray], seed: int) -> Iterator[np.ndarray]:
    """Windows [n, 3K + 7] of motion of a face x_c [K, 3], one after the other, with the blinks of `seed`."""
    blinks = BlinkSequence(seed)
    for window in windows:
        delta = window[:, :-RHO_DIM].reshape(len(window), -1, 3)
        shut = delta + space.shut_eyes(x_c + delta, blinks.take(len(window)))
        yield np.concatenate([shut.reshape(len(window), -1), window[:, -RHO_DIM:]], axis=1).astype(window.dtype)
