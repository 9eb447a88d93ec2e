"""Motion from speech of any length, window by window (paper 3.2, 3.3, A.2; eq. 8, 10).

Previous frames (eq. 10) alone leave jumps at the joints of windows (measured: 0.39 of a deviation, against 0.20
inside). So a window repeats the last frame of the one before; by what it misses that frame, its new frames are shifted,
less and less over `fade` frames (then 0.21). Putting known frames back at every step, as in inpainting, did not help.

Head pose is generated around the portrait's own, in units of the training clips' mean standard deviation, each window
anew from normalised values, so it cannot drift away over many windows.

Emotion must not move the head, but expression and pose of one window are denoised together, and both are the next
window's context. So where emotion and a generated pose are asked for, two motions are made: the stage-1 motion,
which alone makes the pose, and the emotional one, which is given that pose at every step. Pose is equal bit for bit
whatever the emotion. It costs four Conformer rows a step where eq. 8 alone has three: its rows without emotion see
the emotional motion, so a pose taken from them would follow the emotion.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from models.diffusion.denoise import Conditions, Denoiser
from models.diffusion.sampler import Solver, solver_times
from models.diffusion.schedule import Target
from models.motion import RHO_DIM
from models.motion_transformer import MotionTransformer
from models.normalization import MotionStatistics, Normalizer

REPEATED = 1  # frames of the window before that a window begins with
Pose = Literal["generated", "still"] | np.ndarray


@dataclass(frozen=True)
class SampleSettings:
    """How to sample: the `sample` section of params.yaml, stored with the model."""

    solver: Solver
    steps: int
    audio_scale: float  # w_a of eq. 8
    emotion_scale: float  # w_e of eq. 8
    limit: float  # largest deviation from the mean that is generated, in standard deviations
    fade: int  # frames over which the error at a joint of two windows fades out
    identity_limit: float  # largest deviation of a face from the mean training face, in standard deviations


@dataclass(frozen=True)
class Request:
    """One motion to be generated.

    `speech` [T, A] or pieces of it in order; `x_c` [K, 3] and `source_rho` [7] of the portrait; `emotion` weights
    [E + 1] or [T, E + 1] (models/emotions.py) or None; `pose` "generated", "still", or a rho [T, 7] to follow;
    `window`: frames generated at once, fewer than the model's own for a shorter delay; None: the model's.
    """

    speech: np.ndarray | Iterable[np.ndarray]
    x_c: np.ndarray
    source_rho: np.ndarray
    emotion: np.ndarray | None = None
    pose: Pose = "generated"
    seed: int = 0
    window: int | None = None


class MotionGenerator:
    """A trained model, ready to generate; made by `pipeline.bundle.load_generator` or at the end of training."""

    def __init__(self, model: MotionTransformer, alpha_bar: Tensor, target: Target, statistics: MotionStatistics,
                 labels: tuple[str, ...], settings: SampleSettings):
        self.model = model.eval()
        self.alpha_bar, self.target, self.statistics = alpha_bar, target, statistics
        self.labels, self.settings = labels, settings

    @property
    def window(self) -> int:
        """Frames that are generated at once."""
        return self.model.shape.window

    @property
    def rest(self) -> np.ndarray:
        """Mean expression delta of the training clips [K, 3]."""
        return self.statistics.expression.mean.reshape(-1, 3)

    def generate(self, request: Request, **settings: float | int | str) -> np.ndarray:
        """The motion vector [T, 3K + 7]; `settings` override fields of SampleSettings.

        Raises ValueError for speech of another width, emotion without stage 2, or lengths that do not agree.
        """
        return np.concatenate(list(self.stream(request, **settings)))

    def stream(self, request: Request, **settings: float | int | str) -> Iterator[np.ndarray]:
        """Windows [<= W, 3K + 7] as soon as they are made; memory does not grow with the speech."""
        yield from (window for [(_, window)] in self._windows([request], replace(self.settings, **settings)))

    def generate_batch(self, requests: list[Request], **settings: float | int | str) -> list[np.ndarray]:
        """`generate` for many requests at once; those alike in kind share every network pass."""
        pieces: list[list[np.ndarray]] = [[] for _ in requests]
        for group in _alike(requests):
            for windows in self._windows([requests[index] for index in group], replace(self.settings, **settings)):
                for member, window in windows:
                    pieces[group[member]].append(window)
        return [np.concatenate(windows) for windows in pieces]

    @torch.inference_mode()
    def _windows(self, requests: list[Request], settings: SampleSettings) -> Iterator[list[tuple[int, np.ndarray]]]:
        """Yield, window by window, (member, motion) of every request that still has speech."""
        denoiser = Denoiser(self.model, self.alpha_bar, self.target, settings.solver,
                            solver_times(settings.solver, self.alpha_bar, settings.steps), settings.limit)
        active = [_Track(index, request, self, settings) for index, request in enumerate(requests)]
        while active := [track for track in active if track.advance()]:
            self._generate_window(active, denoiser, settings)
            yield [(track.index, track.motion()) for track in active]

    def _generate_window(self, tracks: list[_Track], denoiser: Denoiser, settings: SampleSettings) -> None:
        frames = max(track.repeated + track.length for track in tracks)  # what lies behind the end is not computed
        plain, noise, step_noise = self._gather(tracks, frames, settings)
        first = tracks[0]
        if first.driven is not None:
            pose = self._stack([track.window_pose(frames) for track in tracks])
            path = denoiser.noised_path(pose, noise[..., -RHO_DIM:])
            motion, _ = denoiser.run(self._with_emotion(plain, tracks, frames), noise, step_noise, path)
            return self._scatter(tracks, motion, None)
        stage_one, path = denoiser.run(plain, noise, step_noise, None)
        if first.request.emotion is None:
            return self._scatter(tracks, stage_one, None)
        emotional = replace(plain, previous=self._stack([track.emotional[:-REPEATED] for track in tracks]))
        motion, _ = denoiser.run(self._with_emotion(emotional, tracks, frames), noise, step_noise, path)
        return self._scatter(tracks, stage_one, motion)

    def _gather(self, tracks: list[_Track], frames: int,
                settings: SampleSettings) -> tuple[Conditions, Tensor, Tensor | None]:
        draws = [track.noise(settings)[:, :frames] for track in tracks]
        valid = self._stack([track.mask(frames) for track in tracks]).bool()
        conditions = Conditions(
            speech=self._stack([track.speech_window(frames) for track in tracks]),
            identity=self.model.identity_norm.limited(
                self._stack([track.request.x_c.reshape(-1) for track in tracks]), settings.identity_limit),
            previous=self._stack([track.plain[:-REPEATED] for track in tracks]),
            has_previous=torch.full((len(tracks),), tracks[0].position > 0, device=valid.device),
            mask=None if bool(valid.all()) else valid, emotion=None,
            audio_scale=settings.audio_scale, emotion_scale=settings.emotion_scale)
        steps = self._stack([draw[1:] for draw in draws]).transpose(0, 1) if settings.solver == "ddpm" else None
        return conditions, self._stack([draw[0] for draw in draws]), steps

    def _with_emotion(self, conditions: Conditions, tracks: list[_Track], frames: int) -> Conditions:
        if tracks[0].request.emotion is None:
            return conditions
        return replace(conditions, emotion=self._stack([track.window_emotion(frames) for track in tracks]))

    def _scatter(self, tracks: list[_Track], motion: Tensor, emotional: Tensor | None) -> None:
        for index, track in enumerate(tracks):
            track.take(motion[index].cpu().numpy(), None if emotional is None else emotional[index].cpu().numpy())

    def _stack(self, arrays: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays).astype(np.float32)).to(self.model.motion_mask.device)


class _Track:
    """Where one request stands: its speech still to come, and the normalised motion before the window."""

    def __init__(self, index: int, request: Request, generator: MotionGenerator, settings: SampleSettings):
        shape = generator.model.shape
        _check(request, generator)
        self.index, self.request, self.shape, self.statistics = index, request, shape, generator.statistics
        self.normalizer, self.driven = _pose_rule(request, generator.statistics)
        window = request.window or shape.window
        self.pieces = rewindow(request.speech, window, window - REPEATED, shape.speech_dim)
        self.position, self.length, self.repeated = 0, 0, 0  # frames done; new and repeated frames of this window
        tail = shape.previous + REPEATED
        self.speech = np.zeros((0, shape.speech_dim), np.float32)
        self.speech_tail = np.zeros((tail, shape.speech_dim), np.float32)
        self.plain = self.emotional = np.zeros((tail, shape.motion_dim), np.float32)
        self.result, self.fade = self.plain, settings.fade

    def advance(self) -> bool:
        """Take the next window of speech; False at the end."""
        self.position += self.length
        if self.position:
            self.speech_tail = _last(self.speech_tail, self.speech)
            self.repeated = REPEATED
        self.speech = next(self.pieces, None)
        self.length = 0 if self.speech is None else len(self.speech)
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
        """[1 or 1 + steps, W, D], a function of the seed and the window alone."""
        count = 1 + (settings.steps if settings.solver == "ddpm" else 0)
        random = np.random.default_rng([self.request.seed, self.position])
        return random.standard_normal((count, self.shape.window, self.shape.motion_dim), np.float32)

    def window_pose(self, frames: int) -> np.ndarray:
        """The given pose of this window, normalised [frames, 7]."""
        return self._frames(self.driven, -self.repeated, frames)

    def window_emotion(self, frames: int) -> np.ndarray:
        """Emotion weights [P + frames, E + 1]."""
        before = self.shape.previous + self.repeated
        return self._frames(np.atleast_2d(self.request.emotion), -before, self.shape.previous + frames)

    def take(self, motion: np.ndarray, emotional: np.ndarray | None) -> None:
        """Keep what is new in a generated window [frames, D]."""
        self.result = self._joined(self.plain, motion)
        self.plain = _last(self.plain, self.result)
        if emotional is not None:
            self.result = self._joined(self.emotional, emotional)
            self.emotional = _last(self.emotional, self.result)

    def _joined(self, before: np.ndarray, window: np.ndarray) -> np.ndarray:
        """The new frames of a window [frames, D], led over from the last frame of `before`."""
        new = window[self.repeated:self.repeated + self.length]
        if not self.repeated:
            return new
        share = np.maximum(0, 1 - np.arange(1, len(new) + 1) / (self.fade + 1)).astype(np.float32)
        return new + share[:, None] * (before[-1] - window[self.repeated - 1])

    def motion(self) -> np.ndarray:
        """The window's motion vector [length, 3K + 7] in the face space's own units; a given pose is returned as is."""
        motion = self.statistics.denormalize(self.result, self.normalizer)
        if not isinstance(self.request.pose, str):
            motion[:, -RHO_DIM:] = self._frames(self.request.pose, 0, self.length)
        return motion.astype(np.float32)

    def _frames(self, values: np.ndarray, start: int, count: int) -> np.ndarray:
        """`count` rows of [T or 1, n] from `start` frames after the new ones begin, the ends repeated."""
        frames = self.position + start + np.arange(count)
        return values[frames.clip(0, len(values) - 1)]


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


def _pose_rule(request: Request, statistics: MotionStatistics) -> tuple[Normalizer, np.ndarray | None]:
    """How to undo eq. 6, and the pose to follow in normalised units [T or 1, 7], None where it is generated."""
    if not isinstance(request.pose, str):
        normalizer = statistics.pose_of(request.pose.mean(axis=0), request.pose.std(axis=0))
        return normalizer, normalizer.normalize(request.pose)
    normalizer = statistics.pose_of_portrait(np.asarray(request.source_rho))
    return normalizer, np.zeros((1, RHO_DIM)) if request.pose == "still" else None


def _check(request: Request, generator: MotionGenerator) -> None:
    shape = generator.model.shape
    if request.x_c.shape != (shape.num_keypoints, 3):
        raise ValueError(f"x_c must be [{shape.num_keypoints}, 3] for this model, got {list(request.x_c.shape)}")
    if not isinstance(request.pose, str) and (request.pose.ndim != 2 or request.pose.shape[1] != RHO_DIM):
        raise ValueError(f"a pose to follow must be [T, {RHO_DIM}], got {list(request.pose.shape)}")
    if isinstance(request.pose, str) and request.pose not in ("generated", "still"):
        raise ValueError(f"unknown pose {request.pose!r}: accepted are generated, still, or a rho [T, {RHO_DIM}]")
    if request.window is not None and not REPEATED < request.window <= shape.window:
        raise ValueError(f"window is {request.window}, this model makes {REPEATED + 1} to {shape.window} at once")
    if request.emotion is None:
        return
    if generator.model.emotion is None:
        raise ValueError("this model has no emotion control: use the bundle of stage 2")
    if request.emotion.shape[-1] != len(generator.labels) + 1:
        raise ValueError(f"emotion weights must have {len(generator.labels) + 1} columns, "
                         f"got {request.emotion.shape[-1]}")


def _last(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """As many last rows as `before` has."""
    return np.concatenate([before, after])[len(after):]


def _alike(requests: list[Request]) -> list[list[int]]:
    """Indices of requests that can share network passes: same use of emotion, same way to the pose."""
    groups: dict[tuple, list[int]] = {}
    for index, request in enumerate(requests):
        given = not (isinstance(request.pose, str) and request.pose == "generated")
        groups.setdefault((request.emotion is None, given), []).append(index)
    return list(groups.values())
