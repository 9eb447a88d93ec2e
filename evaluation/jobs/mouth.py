"""The mouth of extracted clips, nothing rendered: what training clips are like, and how well samples follow speech.

The mouth opening of sampled motion is compared with that of the stored true motion, at the best lag of each clip, and
at that same lag the opening generated from another clip's speech. The clip gives its face and its first pose, all else
comes from the model. For face spaces whose key points have names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.jobs.clip import FPS
from evaluation.metrics.curves import FaceCurves, face_curves
from evaluation.metrics.lip_sync import SpeechToMouth, fill_gaps, fit_speech_to_mouth
from evaluation.metrics.measure import blinks_per_min, pose_numbers
from evaluation.metrics.motion import mouth_correlation
from feature_store.reader import ClipFeatures
from models.generation.generator import MotionGenerator
from models.generation.request import Request
from models.motion.motion import RHO_DIM

COMPARED = ("blinks_per_min", "yaw_range_deg", "pitch_range_deg", "yaw_jitter_deg")


def stored_curves(clip: ClipFeatures) -> FaceCurves:
    """Curves of a clip of the landmark face space from its stored motion (canonical, so pose does not enter)."""
    delta = clip.motion[:, :clip.x_c.size].reshape(len(clip.motion), -1, 3)
    return face_curves(clip.x_c + delta)


def training_reference(clips: Iterable[ClipFeatures], curves_of: Callable[[ClipFeatures], FaceCurves],
                       ridge: float, frames: int) -> tuple[SpeechToMouth, dict[str, list[float]]]:
    """Fit `mouth_sync`'s regression on training clips, and collect one value per clip of every compared measure.

    The pose's are of the first `frames`, as many as test clips have at most: a head turns further in a longer film.
    """
    pairs = []
    values: dict[str, list[float]] = {name: [] for name in COMPARED}
    for clip in clips:
        curves = curves_of(clip)
        pairs.append((np.asarray(clip.speech, np.float32), fill_gaps(curves.mouth)))
        numbers = pose_numbers(clip.motion[:frames, -3:]) | {"blinks_per_min": blinks_per_min(curves, FPS)}
        for name in COMPARED:
            values[name].append(float(numbers[name]))
    return fit_speech_to_mouth(pairs, ridge), values


@dataclass(frozen=True)
class MouthRow:
    """One clip: means over seeds of r with the true opening, and of r with the wrong speech at the same lag."""

    clip_id: str
    identity: str
    frames: int
    r: float
    r_wrong_speech: float
    lags: tuple[int, ...]  # frames, of every seed
    r_of_seeds: tuple[float, ...]


def follow(generator: MotionGenerator, clips: Sequence[ClipFeatures], seeds: int, max_lag: int,
           max_frames: int | None = None, **settings: Any) -> Iterator[MouthRow]:
    """A row a clip; the wrong speech is the next clip's, of a clip alone its own, turned by half.

    `settings` override how the model samples.
    """
    for clip, other in zip(clips, [*clips[1:], *clips[:1]], strict=True):
        true = fill_gaps(stored_curves(clip).mouth)[:max_frames]  # [T]
        speech = clip.speech[:len(true)]
        wrong_speech = np.roll(speech, len(true) // 2, axis=0) if other is clip else other.speech[:len(true)]
        own, wrong = [], []
        for seed in range(seeds):
            found = mouth_correlation(true, _opening(generator, clip, speech, seed, settings), max_lag)
            own.append(found)
            wrong.append(_at_lag(true, _opening(generator, clip, wrong_speech, seed, settings), found.lag))
        yield MouthRow(clip.clip.clip_id, clip.clip.identity, len(true), float(np.mean([one.r for one in own])),
                       float(np.mean(wrong)), tuple(one.lag for one in own), tuple(one.r for one in own))


def means(rows: Sequence[MouthRow]) -> tuple[float, float]:
    """r and r with the wrong speech, each clip weighted by its length."""
    lengths = [row.frames for row in rows]
    return (float(np.average([row.r for row in rows], weights=lengths)),
            float(np.average([row.r_wrong_speech for row in rows], weights=lengths)))


def _opening(generator: MotionGenerator, clip: ClipFeatures, speech: np.ndarray, seed: int,
             settings: dict[str, Any]) -> np.ndarray:
    """Mouth opening [T] of one sample."""
    request = Request(np.asarray(speech, np.float32), clip.x_c, clip.motion[0, -RHO_DIM:], seed=seed)
    motion = generator.generate(request, **settings)
    return face_curves(clip.x_c + motion[:, :-RHO_DIM].reshape(len(motion), -1, 3)).mouth


def _at_lag(true: np.ndarray, made: np.ndarray, lag: int) -> float:
    """r of a curve that may be shorter than the true one, `lag` frames late."""
    true, made = true[max(-lag, 0):], made[max(lag, 0):]
    count = min(len(true), len(made))
    return mouth_correlation(true[:count], made[:count], 0).r
