"""Blinks, drawn as what they are: a process of its own that the speech does not decide.

A model that predicts motion from speech learns the blinks of its training clips by heart and puts few on a new voice
(1 to 8 a minute where people have 15 to 20, half way often); nothing in the sound says when a lid falls. So generated
motion gets them here, from its seed, and a face space says what shutting its eyes means.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.motion.clock import FPS, at_frames
from models.motion.face_space import FaceSpace
from models.motion.motion import RHO_DIM

INTERVAL_S = (2.1, 5.4)   # from blink to blink: 16 a minute, and no film of six seconds is without one
FIRST_S = (0.3, 3.3)      # the first one: about 2 s, as long as it is to the next blink from any moment
LENGTH_S = (0.24, 0.36)   # six to nine frames, of which one at least is shut; people's last 150 to 400 ms
CLOSES, OPENS = 0.33, 0.5  # shares of a blink's time: lids fall quicker than they rise, and stay shut between
BLINK_CLOSED, BLINK_OPEN = 0.55, 0.75  # shares of the clip's open-eye level: two, so that noise counts no blink twice
BLINK_MAX_S = 0.6         # longer is a closed eye, not a blink
OWN_PER_MIN = 16.0
STREAM = 7                # apart from the seeds that the motion's own noise has


class BlinkSequence:
    """Lid closure of a film without an end, frame by frame, from its seed; `per_min` [T]: blinks a minute over its
    frames, of which the last value stays.

    Blinks are drawn on a clock that runs at the rate's share of `OWN_PER_MIN` and stands still where the rate is 0.
    """

    def __init__(self, seed: int, per_min: np.ndarray | None = None):
        self._random = np.random.default_rng([seed, STREAM])
        self._speed = np.ones(1) if per_min is None else np.asarray(per_min, np.float64) / OWN_PER_MIN
        self._frame, self._clock = 0, 0.0  # frames done, and frames that the blinks' clock has counted
        self._next = self._random.uniform(*FIRST_S) * FPS  # on that clock
        self._blinks: list[tuple[float, float]] = []  # start and length in seconds

    def take(self, frames: int) -> np.ndarray:
        """Closure [frames] of the next frames: 0 open, 1 shut."""
        self._draw(at_frames(self._speed, self._frame, frames))
        times_s = (self._frame + np.arange(frames)) / FPS
        self._frame += frames
        closed = np.zeros(frames)
        for start_s, length_s in self._blinks:
            closed = np.maximum(closed, blink_shape((times_s - start_s) / length_s))
        self._blinks = [blink for blink in self._blinks if sum(blink) > self._frame / FPS]
        return closed

    def _draw(self, speed: np.ndarray) -> None:
        """The blinks that begin in the next frames, whose clock runs at `speed` [frames]."""
        clock = self._clock + np.concatenate([[0.0], np.cumsum(speed)])
        while self._next < clock[-1]:
            frame = int(np.searchsorted(clock, self._next, side="right")) - 1
            start = self._frame + frame + (self._next - clock[frame]) / speed[frame]
            self._blinks.append((start / FPS, float(self._random.uniform(*LENGTH_S))))
            self._next += self._random.uniform(*INTERVAL_S) * FPS
        self._clock = float(clock[-1])


def blink_shape(share: np.ndarray) -> np.ndarray:
    """Closure over a blink's own time 0-1: shut from a third to a half of it."""
    fall, rise = np.clip(share / CLOSES, 0, 1), np.clip((1 - share) / OPENS, 0, 1)
    return (3 * fall**2 - 2 * fall**3) * (3 * rise**2 - 2 * rise**3)


def with_blinks(space: FaceSpace, x_c: np.ndarray, windows: Iterator[np.ndarray], seed: int,
                per_min: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """Windows [n, 3K + 7] of motion of a face x_c [K, 3], one after the other, with the blinks of `seed`."""
    blinks = BlinkSequence(seed, per_min)
    for window in windows:
        delta = window[:, :-RHO_DIM].reshape(len(window), -1, 3)
        shut = delta + space.shut_eyes(x_c + delta, blinks.take(len(window)))
        yield np.concatenate([shut.reshape(len(window), -1), window[:, -RHO_DIM:]], axis=1).astype(window.dtype)


def count_blinks(eye_openness: np.ndarray, fps: float) -> int:
    """Blinks in an eye opening curve [T]: below 55 % of the clip's open level, then above 75 %, within 0.6 s."""
    curve = np.asarray(eye_openness, np.float64)
    curve = curve[np.isfinite(curve)]
    if curve.size == 0:
        raise ValueError("no frame has an eye opening")
    level = np.quantile(curve, 0.9)
    blinks, closed_at = 0, None
    for frame, value in enumerate(curve):
        if closed_at is None and value < BLINK_CLOSED * level:
            closed_at = frame
        elif closed_at is not None and value > BLINK_OPEN * level:
            blinks += frame - closed_at <= BLINK_MAX_S * fps
            closed_at = None
    return int(blinks)
