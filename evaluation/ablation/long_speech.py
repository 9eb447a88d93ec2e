"""Error over long speech (Figure 9): what becomes of a model that goes on from its own output.

One passage of speech is said again and again. The words, the truth and the portrait are the same every time, so that a
repeat differs from the first one only by what was generated before it. Motion alone is looked at: nothing is rendered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.ablation.clip import with_model
from evaluation.jobs.clip import FPS, Clip
from evaluation.jobs.parts import Parts
from evaluation.metrics.curves import face_curves
from evaluation.metrics.measure import pose_numbers
from evaluation.metrics.motion import pearson
from evaluation.results.files import Result
from evaluation.results.rows import Repeat
from models.face.points import NUM_KEYPOINTS
from models.generation.generator import MotionGenerator
from models.generation.request import Request
from models.motion.motion import RHO_DIM
from models.motion.normalization import Normalizer
from pipeline.components.bundle import bundle_digest

SAMPLES = 2  # seeds, averaged


@dataclass(frozen=True)
class Passage:
    """Speech [T, A] of one person, said `times` times, and the true motion [T, 3K + 7] that went with it once."""

    clip_id: str  # of its first clip
    speech: np.ndarray
    motion: np.ndarray
    x_c: np.ndarray
    times: int
    seed: int

    def __len__(self) -> int:
        return len(self.speech)


@dataclass(frozen=True)
class PassageJob:
    """One passage with one model: that of `bundle`, or the worker's own."""

    passage: Passage
    model: str
    bundle: Path | None

    @property
    def name(self) -> str:
        return self.passage.clip_id

    @property
    def stage(self) -> str:
        return f"{self.model}: long speech"

    def inputs(self) -> list[Any]:
        said = [hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
                for array in (self.passage.speech, self.passage.motion, self.passage.x_c)]
        return [said, self.passage.times, self.passage.seed, self.bundle and bundle_digest(self.bundle)]

    def run(self, parts: Parts, settings: Any, folder: Path) -> Result[Repeat]:
        """The rows of `error_over_time`; nothing is written."""
        generator = with_model(parts, self.bundle).head.generator
        return Result(tuple(error_over_time(self.passage, self.model, generator)), {}, {})


def make_passage(clips: Sequence[Clip], seconds: float) -> Passage:
    """The clips of the first one's person end to end, as often as `seconds` ask for, twice at least."""
    first = clips[0]
    own = [clip for clip in clips if clip.identity == first.identity]
    speech = np.concatenate([clip.speech for clip in own])
    times = max(2, round(seconds * FPS / len(speech)))
    return Passage(first.clip_id, speech, np.concatenate([clip.motion for clip in own]), first.x_c, times, first.seed)


def error_over_time(passage: Passage, model: str, generator: MotionGenerator) -> list[Repeat]:
    """One row a repeat with `expression_error` and `expression_spread` in the training clips' standard deviations,
    `yaw_jitter_deg`, and `mouth_r` where key points have names."""
    requests = [Request(speech=np.tile(passage.speech, (passage.times, 1)), x_c=passage.x_c,
                        source_rho=passage.motion[0, -RHO_DIM:], seed=passage.seed + sample)
                for sample in range(SAMPLES)]
    made = np.stack(generator.generate_batch(requests))
    expression, rows = generator.statistics.expression, []
    for repeat in range(passage.times):
        part = made[:, repeat * len(passage):(repeat + 1) * len(passage)]
        found = [_numbers(sample, passage, expression) for sample in part]
        means = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
        rows.append(Repeat(model, repeat + 1, repeat * len(passage) / FPS, len(passage) / FPS, means))
    return rows


def _numbers(motion: np.ndarray, passage: Passage, expression: Normalizer) -> dict[str, float]:
    true, made = (expression.normalize(each[:, :-RHO_DIM])[:, expression.alive] for each in (passage.motion, motion))
    found = {"expression_error": float(np.sqrt(np.square(made - true).mean())),
             "expression_spread": float(np.sqrt(np.square(made).mean())),
             "yaw_jitter_deg": pose_numbers(motion[:, -3:])["yaw_jitter_deg"]}
    if len(passage.x_c) == NUM_KEYPOINTS:
        found["mouth_r"] = pearson(*(_mouth(each, passage.x_c) for each in (passage.motion, motion)))
    return found


def _mouth(motion: np.ndarray, x_c: np.ndarray) -> np.ndarray:
    delta = motion[:, :-RHO_DIM].reshape(len(motion), -1, 3)
    return face_curves(x_c + delta).mouth
