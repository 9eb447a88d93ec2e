"""`mouth_sync`: lip synchronisation without SyncNet.

A ridge regression from speech features to mouth opening, fitted on training clips, predicts the mouth that a
clip's sound asks for. The prediction is correlated with the mouth that the video shows, over lags of +-15 frames.
As with SyncNet's score, confidence = peak - median over the lags, and the lag of the peak is the offset; the
numbers themselves are correlations and no Sync-C or Sync-D.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from evaluation.metrics.motion import pearson

MAX_LAG = 15
CONTEXT = (-2, 0, 2)  # frames of speech features that a mouth is predicted from


@dataclass(frozen=True)
class SpeechToMouth:
    """Standardised speech features of three frames -> mouth opening in the clip's own standard deviations."""

    mean: np.ndarray  # [A]
    scale: np.ndarray  # [A]
    weights: np.ndarray  # [3 A + 1]
    frames: int  # that it was fitted on

    def predict(self, speech: np.ndarray) -> np.ndarray:
        """speech [T, A] -> [T]."""
        return _inputs((speech - self.mean) / self.scale) @ self.weights


@dataclass(frozen=True)
class MouthSync:
    """Scores of one clip; offset > 0: the picture comes after the sound."""

    peak: float
    confidence: float
    offset: int
    r_lag0: float


def fit_speech_to_mouth(clips: Iterable[tuple[np.ndarray, np.ndarray]], ridge: float) -> SpeechToMouth:
    """Fit on (speech [T, A], mouth opening [T]) of training clips; memory does not grow with their number.

    `ridge` is relative to the number of frames (a feature's variance is 1). Clips whose mouth never moves are left
    out; raises ValueError when none is left.
    """
    kept = [(np.asarray(speech, np.float64), mouth) for speech, mouth in clips if np.std(mouth) > 1e-6]
    if not kept:
        raise ValueError("no training clip has a moving mouth")
    frames = sum(len(mouth) for _, mouth in kept)
    mean = sum(speech.sum(0) for speech, _ in kept) / frames
    variance = sum(np.square(speech - mean).sum(0) for speech, _ in kept) / frames
    scale = np.sqrt(np.maximum(variance, 1e-12))
    gram, target = _normal_equations([(_inputs((s - mean) / scale), standard(m)) for s, m in kept])
    penalty = ridge * frames * np.eye(len(gram))
    penalty[-1, -1] = 0.0  # the constant is free
    return SpeechToMouth(mean, scale, np.linalg.solve(gram + penalty, target), frames)


def _normal_equations(pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    return sum(inputs.T @ inputs for inputs, _ in pairs), sum(inputs.T @ mouth for inputs, mouth in pairs)


def _inputs(speech: np.ndarray) -> np.ndarray:
    """[T, A] -> [T, 3 A + 1]: neighbours (the edge repeated) and a constant."""
    steps = np.arange(len(speech))
    near = [speech[np.clip(steps + shift, 0, len(speech) - 1)] for shift in CONTEXT]
    return np.concatenate([*near, np.ones((len(speech), 1))], axis=1)


def standard(curve: np.ndarray) -> np.ndarray:
    """Zero mean and unit deviation over time; a still curve becomes zeros."""
    curve = np.asarray(curve, np.float64)
    return (curve - curve.mean()) / max(float(curve.std()), 1e-12)


def mouth_sync(predicted: np.ndarray, mouth: np.ndarray, max_lag: int = MAX_LAG) -> MouthSync:
    """Score predicted [T] against seen mouth opening [T], T > 2 max_lag; NaN frames are filled linearly."""
    if len(predicted) != len(mouth) or len(mouth) <= 2 * max_lag:
        raise ValueError(f"curves of one length above {2 * max_lag} are needed, got {len(predicted)}, {len(mouth)}")
    seen = fill_gaps(mouth)
    inner = slice(max_lag, len(seen) - max_lag)  # the same frames of the prediction at every lag
    values = np.array([pearson(predicted[inner], seen[max_lag + lag:len(seen) - max_lag + lag])
                       for lag in range(-max_lag, max_lag + 1)])
    best = int(values.argmax())
    return MouthSync(peak=float(values[best]), confidence=float(values[best] - np.median(values)),
                     offset=best - max_lag, r_lag0=float(values[max_lag]))


def fill_gaps(curve: np.ndarray) -> np.ndarray:
    """Replace NaN by linear interpolation over time; raises ValueError where no value is finite."""
    curve = np.asarray(curve, np.float64)
    good = np.isfinite(curve)
    if not good.any():
        raise ValueError("no frame has a face")
    return np.interp(np.arange(len(curve)), np.flatnonzero(good), curve[good])
