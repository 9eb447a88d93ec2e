"""Motion from speech of any length, window by window (paper 3.2, 3.3, A.2; eq. 8, 10).

Previous frames (eq. 10) alone leave jumps at the joints of windows; `models.generation.track` leads over them.

A sample's expression is what the speech says and some noise, the head's path is a choice. So the expression is the
mean of `expression_samples` samples, which follows speech better than one of them; the head pose is the first one's.

Head pose is generated around the portrait's own, in units of the training clips' mean standard deviation, each window
anew from normalised values, so it cannot drift away over many windows.

Emotion must not move the head, but expression and pose of one window are denoised together, and both are the next
window's context. So where emotion and a generated pose are asked for, two motions are made: the stage-1 motion,
which alone makes the pose, and the emotional one, which is given that pose at every step. Pose is equal bit for bit
whatever the emotion. It costs four Conformer rows a step where eq. 8 alone has three: its rows without emotion see
the emotional motion, so a pose taken from them would follow the emotion.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import tee
from typing import Any, Protocol

import numpy as np

from models.diffusion.denoise import BranchNetwork, Conditions, Denoiser, KnownPath
from models.diffusion.sampler import solver_times
from models.diffusion.schedule import Target
from models.generation.request import ALL_STEPS, REPEATED, Request, SampleSettings
from models.generation.track import Track
from models.motion.emotions import labels_and_strength
from models.motion.motion import RHO_DIM
from models.motion.normalization import MotionStatistics
from models.transformer.shape import ModelShape


class MotionNetwork(BranchNetwork, Protocol):
    """A trained model that somebody runs: `TorchNetwork` or `GraphNetwork`."""

    @property
    def shape(self) -> ModelShape:
        """The sizes of the model."""

    @property
    def faces(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation [3K] of x_c in the training clips."""


class MotionGenerator:
    """A trained model, ready to generate; made from its bundle, or at the end of training."""

    def __init__(self, network: MotionNetwork, alpha_bar: np.ndarray, target: Target, statistics: MotionStatistics,
                 labels: tuple[str, ...], settings: SampleSettings):
        self.network = network
        self.alpha_bar, self.target, self.statistics = alpha_bar, target, statistics
        self.labels, self.settings = labels, settings

    @property
    def window(self) -> int:
        """Frames that are generated at once."""
        return self.network.shape.window

    @property
    def rest(self) -> np.ndarray:
        """Mean expression delta of the training clips [K, 3]."""
        return self.statistics.expression.mean.reshape(-1, 3)

    def generate(self, request: Request, **settings: Any) -> np.ndarray:
        """The motion vector [T, 3K + 7]; `settings` override fields of SampleSettings.

        Raises ValueError for speech of another width, emotion without stage 2, or lengths that do not agree.
        """
        return np.concatenate(list(self.stream(request, **settings)))

    def stream(self, request: Request, **settings: Any) -> Iterator[np.ndarray]:
        """Windows [<= W, 3K + 7] as soon as they are made; memory does not grow with the speech."""
        yield from (window for [(_, window)] in self._windows([request], replace(self.settings, **settings)))

    def generate_batch(self, requests: list[Request], **settings: Any) -> list[np.ndarray]:
        """`generate` for many requests at once; those alike in kind share every network pass."""
        pieces: list[list[np.ndarray]] = [[] for _ in requests]
        for group in _alike(requests):
            for windows in self._windows([requests[index] for index in group], replace(self.settings, **settings)):
                for member, window in windows:
                    pieces[group[member]].append(window)
        return [np.concatenate(windows) for windows in pieces]

    def _windows(self, requests: list[Request], settings: SampleSettings) -> Iterator[list[tuple[int, np.ndarray]]]:
        """Yield, window by window, (member, motion) of every request that still has speech."""
        denoiser = Denoiser(self.network, self.alpha_bar, self.target, settings.solver,
                            solver_times(settings.solver, self.alpha_bar, settings.steps), settings.limit)
        count = settings.expression_samples
        active = [Track(index, one, self.network.shape, self.statistics, settings, sample)
                  for index, request in enumerate(requests) for sample, one in enumerate(_shared(request, count))]
        while active := [track for track in active if track.advance()]:
            self._generate_window(active, denoiser, settings)
            yield [(active[first].index, mean_expression([track.motion() for track in active[first:first + count]]))
                   for first in range(0, len(active), count)]

    def _generate_window(self, tracks: list[Track], denoiser: Denoiser, settings: SampleSettings) -> None:
        frames = max(track.repeated + track.length for track in tracks)  # what lies behind the end is not computed
        plain, noise, step_noise = self._gather(tracks, frames, settings)
        first = tracks[0]
        if first.pose is not None:
            known = np.stack([track.known[None] for track in tracks])
            path = denoiser.noise_path(_stack([track.window_given(frames) for track in tracks]), noise)
            motion, _ = denoiser.run(self._with_emotion(plain, tracks, frames), noise, step_noise,
                                     KnownPath(known, path))
            return self._scatter(tracks, motion, None)
        stage_one, path = denoiser.run(plain, noise, step_noise, None)
        if first.request.emotion is None:
            return self._scatter(tracks, stage_one, None)
        emotional = replace(plain, previous=_stack([track.emotional[:-REPEATED] for track in tracks]))
        of_pose = np.arange(noise.shape[-1]) >= noise.shape[-1] - RHO_DIM
        motion, _ = denoiser.run(self._with_emotion(emotional, tracks, frames), noise, step_noise,
                                 KnownPath(of_pose[None, None], path))
        return self._scatter(tracks, stage_one, motion)

    def _gather(self, tracks: list[Track], frames: int,
                settings: SampleSettings) -> tuple[Conditions, np.ndarray, np.ndarray | None]:
        draws = [track.noise(settings)[:, :frames] for track in tracks]
        conditions = Conditions(
            speech=_stack([track.speech_window(frames) for track in tracks]),
            identity=self.near_face(_stack([track.request.x_c.reshape(-1) for track in tracks]),
                                    settings.identity_limit),
            previous=_stack([track.plain[:-REPEATED] for track in tracks]),
            has_previous=np.full(len(tracks), tracks[0].position > 0),
            mask=np.stack([track.mask(frames) for track in tracks]), emotion=None,
            audio_scale=_stack([track.audio_scale(frames, settings) for track in tracks]),
            emotion_scale=settings.emotion_scale, guided=_guided_parts(tracks))
        steps = _stack([draw[1:] for draw in draws]).swapaxes(0, 1) if settings.solver == "ddpm" else None
        return conditions, _stack([draw[0] for draw in draws]), steps

    def near_face(self, x_c: np.ndarray, limit: float) -> np.ndarray:
        """x_c [..., 3K] with its deviations from the mean training face cut at `limit` standard deviations."""
        mean, std = self.network.faces
        return x_c.clip(mean - np.float32(limit) * std, mean + np.float32(limit) * std)

    def _with_emotion(self, conditions: Conditions, tracks: list[Track], frames: int) -> Conditions:
        if tracks[0].request.emotion is None:
            return conditions
        labels, strength = labels_and_strength(_stack([track.window_emotion(frames) for track in tracks]))
        return replace(conditions, emotion=labels, strength=strength[:, self.network.shape.previous:])

    def _scatter(self, tracks: list[Track], motion: np.ndarray, emotional: np.ndarray | None) -> None:
        for index, track in enumerate(tracks):
            track.take(motion[index], None if emotional is None else emotional[index])


def mean_expression(samples: Sequence[np.ndarray]) -> np.ndarray:
    """The motion vector [T, 3K + 7] of several: their mean expression with the head pose of the first."""
    motion = samples[0].copy()
    motion[:, :-RHO_DIM] = np.mean([sample[:, :-RHO_DIM] for sample in samples], axis=0, dtype=np.float64)
    return motion


def _shared(request: Request, count: int) -> list[Request]:
    """The request `count` times, each with all of its speech; pieces are kept until the last one has read them."""
    if isinstance(request.speech, np.ndarray):
        return [request] * count
    return [replace(request, speech=pieces) for pieces in tee(request.speech, count)]


def _stack(arrays: list[np.ndarray]) -> np.ndarray:
    return np.stack(arrays).astype(np.float32)


def _guided_parts(tracks: list[Track]) -> np.ndarray | None:
    parts = [track.request.guided for track in tracks]
    return None if all(part == ALL_STEPS for part in parts) else np.array(parts)


def _alike(requests: list[Request]) -> list[list[int]]:
    """Indices of requests that can share network passes: same use of emotion, same way to the pose."""
    groups: dict[tuple, list[int]] = {}
    for index, request in enumerate(requests):
        given = not (isinstance(request.pose, str) and request.pose == "generated")
        groups.setdefault((request.emotion is None, given), []).append(index)
    return list(groups.values())
