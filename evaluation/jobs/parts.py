"""What a worker of the evaluation holds: the model in use, and the networks that judge it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from evaluation.metrics.judges import Judges, judge_weights, load_judges
from evaluation.metrics.lip_sync import SpeechToMouth
from models.generation.generator import MotionGenerator
from models.generation.request import Request
from models.motion.blinks import with_blinks
from models.motion.face_space import Appearance, FaceSpace, driving_keypoints
from models.motion.motion import Motion
from pipeline.components.bundle import bundle_digest, load_generator
from pipeline.components.face_space import face_space_identity, make_face_space

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Parts:
    """The model in use, its judges, and the regression behind `mouth_sync` where that is asked for."""

    space: FaceSpace
    generator: MotionGenerator
    judges: Judges
    sync: SpeechToMouth | None = None


@dataclass(frozen=True)
class ModelSpec(Generic[Settings]):
    """What a worker loads: the model, the judges of `metrics`; `settings` are handed to its jobs."""

    face_space_kind: str
    face_space_folder: Path
    bundle_folder: Path
    fps: float
    metrics: tuple[str, ...]
    settings: Settings
    sync: SpeechToMouth | None = None

    def inputs(self) -> list[Any]:
        """All that enters every result."""
        return [vars(self.settings), bundle_digest(self.bundle_folder), judge_weights(self.metrics),
                face_space_identity(self.face_space_folder), self.sync and self.sync.weights.tolist()]

    def load(self) -> Parts:
        """On one thread of this process; raises WeightsError, BundleError, FileNotFoundError."""
        parts = load_parts(self.face_space_kind, self.face_space_folder, self.bundle_folder, self.fps, self.metrics)
        return replace(parts, sync=self.sync)


@dataclass(frozen=True)
class Portrait:
    """A still face made ready to be animated."""

    appearance: Appearance
    keypoints: np.ndarray  # [K, 3]


def load_parts(face_space_kind: str, face_space_folder: Path, bundle_folder: Path, fps: float,
               metrics: Sequence[str]) -> Parts:
    """Load everything in this process, on one thread; raises WeightsError, BundleError, FileNotFoundError."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    return Parts(make_face_space(face_space_kind, face_space_folder), load_generator(bundle_folder),
                 load_judges(fps, metrics))


def make_portrait(space: FaceSpace, image: np.ndarray) -> Portrait:
    """One square crop [S, S, 3]; raises FaceNotFound."""
    appearance = space.appearance(image)
    return Portrait(appearance, space.keypoints(appearance.motion)[0])


def generate_motions(parts: Parts, portrait: Portrait, speeches: list[np.ndarray], seeds: list[int],
                     emotion: np.ndarray | None, **settings: float) -> list[np.ndarray]:
    """One motion vector [T, 3K + 7] for every (speech [T, A], seed), all in the same network passes, with blinks."""
    motion = portrait.appearance.motion
    requests = [Request(speech=np.asarray(speech, np.float32), x_c=motion.x_c, source_rho=motion.rho[0],
                        emotion=emotion, seed=seed) for speech, seed in zip(speeches, seeds, strict=True)]
    made = parts.generator.generate_batch(requests, **settings)
    return [next(with_blinks(parts.space, motion.x_c, iter([vectors]), seed))
            for vectors, seed in zip(made, seeds, strict=True)]


def plain_keypoints(space: FaceSpace, portrait: Portrait, motion: np.ndarray) -> np.ndarray:
    """Motion vector [T, 3K + 7] on the portrait's own identity, not fitted to its looks -> x [T, K, 3] (eq. 1)."""
    return space.keypoints(Motion.from_vector(portrait.appearance.motion.x_c, motion))


def render_motion(parts: Parts, portrait: Portrait, motion: np.ndarray) -> np.ndarray:
    """Frames [T, 512, 512, 3] uint8 of a generated motion vector [T, 3K + 7], as `playmate animate` makes them."""
    driving = driving_keypoints(parts.space, portrait.appearance.motion, motion, parts.generator.rest)
    return parts.space.render(portrait.appearance, portrait.keypoints, driving)
