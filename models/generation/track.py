"""Where one sample of a request stands while it is generated: the speech to come, the motion before the window.

A window repeats the last three frames of the one before; by what it misses the last of them, its new frames are
shifted, less and less over `fade` frames. Without that the joints jump (measured: 0.57 of a deviation, against 0.22
inside windows; with it 0.19; with one repeated frame 0.38, because a window's first step is its roughest). Putting
known frames back at every step, as in inpainting, did not help.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from models.generation.request import REPEATED, Request, SampleSettings, check_request
from models.motion.clock import at_frames
from models.motion.motion import RHO_DIM
from models.motion.normalization import MotionStatistics, Normalizer
from models.transformer.shape import ModelShape


class Track:
    """One sample of a request, window by window; motion is normalised here. `sample` numbers those of one seed."""

    def __init__(self, index: int, request: Request, shape: ModelShape, statistics: MotionStatistics,
                 settings: SampleSettings, sample: int = 0):
        check_request(request, shape)
        self.sample = sample
        self.index, self.request, self.shape, self.statistics = index, request, shape, statistics
        self.normalizer, self.pose = pose_rule(request, statistics)
        self.known = known_dimensions(request, self.pose, shape)
        window = request.window or shape.window
        self.pieces = rewindow(request.speech, window, window - REPEATED, shape.speech_dim)
        self.position, self.length, self.repeated = 0, 0, 0  # frames done; new and repeated frames of this window
        tail = shape.previous + REPEATED
        self.speech = np.zeros((0, shape.speech_dim), np.float32)
        self.speech_tail = np.zeros((tail, shape.speech_dim), np.float32)
        self.plain = self.emotional = np.zeros((tail, shape.motion_dim), np.float32)
        self.result, self.fade = self.plain, settings.fade
        self.gain = np.ones(shape.motion_dim, np.float32)
        self.gain[-RHO_DIM:] = settings.pose_gain

    def advance(self) -> bool:
        """Take the next window of speech; False at the end."""
        self.position += self.length
        if self.position:
            self.speech_tail = last_rows(self.speech_tail, self.speech)
            self.repeated = REPEATED
        self.speech = next(self.pieces, self.speech[:0])
        self.length = len(self.speech)
        return self.length > 0

    def speech_window(self, frames: int) -> np.ndarray:
        """[P + frames, A], zeros after the end."""
        before = self.speech_tail[:self.shape.previous + self.repeated]
        padding = frames - self.repeated - self.length
        return np.concatenate([before, np.pad(self.speech, ((0, padding), (0, 0)))])

    def mask(self, frames: int) -> np.ndarray:
        """[P + frames] True for frames that exist; learned start frames do."""
        return np.arange(self.shape.previous + frames) < self.shape.previous + self.repeated + self.length

    def noise(self, settings: SampleSettings) -> np.ndarray:
        """[1 or 1 + steps, W, D], a function of the seed, the sample and the window alone."""
        count = 1 + (settings.steps if settings.solver == "ddpm" else 0)
        random = np.random.default_rng([self.request.seed, self.position, *([self.sample] if self.sample else [])])
        return random.standard_normal((count, self.shape.window, self.shape.motion_dim), np.float32)

    def audio_scale(self, frames: int, settings: SampleSettings) -> np.ndarray:
        """w_a of eq. 8 [frames, D] of this window: the settings', or what the request's curves say."""
        scale = np.full((frames, self.shape.motion_dim), settings.audio_scale, np.float32)
        scale[:, -RHO_DIM:] *= settings.pose_share
        curves = self.request.curves
        if curves.expression_scale is not None:
            scale[:, :-RHO_DIM] = self._frames(curves.expression_scale[:, None], -self.repeated, frames)
        if curves.pose_guidance is not None:
            scale[:, -RHO_DIM:] = self._frames(curves.pose_guidance[:, None], -self.repeated, frames)
        return scale

    def window_given(self, frames: int) -> np.ndarray:
        """The motion that is given for this window, normalised [frames, D]; zero where nothing is."""
        if self.pose is None:
            raise ValueError("this request has no pose to follow")
        motion = np.zeros((frames, self.shape.motion_dim))
        motion[:, -RHO_DIM:] = self.normalizer.normalize(self._frames(self.pose, -self.repeated, frames))
        if self.request.given is not None:
            delta = self._frames(self.request.given.delta, -self.repeated, frames)
            motion[:, :-RHO_DIM] = self.statistics.expression.normalize(delta)
        return np.where(self.known, motion, 0.0)

    def window_emotion(self, frames: int) -> np.ndarray:
        """Emotion weights [P + frames, E + 1]."""
        if self.request.emotion is None:
            raise ValueError("this request has no emotion")
        before = self.shape.previous + self.repeated
        return self._frames(np.atleast_2d(self.request.emotion), -before, self.shape.previous + frames)

    def take(self, motion: np.ndarray, emotional: np.ndarray | None) -> None:
        """Keep what is new in a generated window [frames, D]."""
        self.result = self._join(self.plain, motion)
        self.plain = last_rows(self.plain, self.result)
        if emotional is not None:
            self.result = self._join(self.emotional, emotional)
            self.emotional = last_rows(self.emotional, self.result)

    def _join(self, before: np.ndarray, window: np.ndarray) -> np.ndarray:
        """The new frames of a window [frames, D], led over from the last frame of `before`."""
        new = window[self.repeated:self.repeated + self.length]
        if not self.repeated:
            return new
        share = np.maximum(0, 1 - np.arange(1, len(new) + 1) / (self.fade + 1)).astype(np.float32)
        return new + share[:, None] * (before[-1] - window[self.repeated - 1])

    def motion(self) -> np.ndarray:
        """The window's motion vector [length, 3K + 7] in the space's own units; what is given is returned as is."""
        motion = self.statistics.denormalize(self.gain * self.result, self.normalizer)
        if self.pose is not None:
            motion[:, -RHO_DIM:] = self._frames(self.pose, 0, self.length)
        if self.request.given is not None:
            kept = np.flatnonzero(self.request.given.known)
            motion[:, kept] = self._frames(self.request.given.delta, 0, self.length)[:, kept]
        return motion.astype(np.float32)

    def _frames(self, values: np.ndarray, start: int, count: int) -> np.ndarray:
        """`count` rows of [T or 1, n] from `start` frames after the new ones begin, the ends repeated."""
        return at_frames(values, self.position + start, count)


def rewindow(speech: np.ndarray | Iterable[np.ndarray], first: int, step: int, dim: int) -> Iterator[np.ndarray]:
    """Cut speech [T, A], or pieces of it, into `first` frames, then `step` frames at a time, the last ones fewer."""
    held, size = np.zeros((0, dim), np.float32), first
    for piece in [speech] if isinstance(speech, np.ndarray) else speech:
        if piece.ndim != 2 or piece.shape[1] != dim:
            raise ValueError(f"speech features must be [T, {dim}] for this model, got {list(piece.shape)}")
        held = np.concatenate([held, piece])
        while len(held) >= size:
            yield held[:size]
            held, size = held[size:], step
    if len(held):
        yield held


def pose_rule(request: Request, statistics: MotionStatistics) -> tuple[Normalizer, np.ndarray | None]:
    """How to undo eq. 6, and the pose to follow in its own units [T or 1, 7], None where it is generated."""
    if not isinstance(request.pose, str):
        return statistics.pose_of(request.pose.mean(axis=0), request.pose.std(axis=0)), request.pose
    own = np.asarray(request.source_rho)
    if request.style is not None and request.pose == "generated":
        if statistics.pose_group == "global":
            raise ValueError("this model knows one style of movement for all people (statistics.pose_group: global)")
        return statistics.pose_of(*request.style), None
    return statistics.pose_of_portrait(own), own[None] if request.pose == "still" else None


def known_dimensions(request: Request, pose: np.ndarray | None, shape: ModelShape) -> np.ndarray:
    """Dimensions of motion [3K + 7] bool that are not generated."""
    known = np.zeros(shape.motion_dim, bool)
    known[-RHO_DIM:] = pose is not None
    if request.given is not None:
        known[:-RHO_DIM] = request.given.known
    return known


def last_rows(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """As many last rows as `before` has."""
    return np.concatenate([before, after])[len(after):]
