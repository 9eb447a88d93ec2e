"""What the training clips are like: the regression behind `mouth_sync`, and the distributions to compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from evaluation.jobs.clip import FPS
from evaluation.metrics.curves import FaceCurves, face_curves
from evaluation.metrics.lip_sync import SpeechToMouth, fill_gaps, fit_speech_to_mouth
from evaluation.metrics.measure import blinks_per_min, pose_numbers
from feature_store.reader import ClipFeatures

COMPARED = ("blinks_per_min", "yaw_range_deg", "pitch_range_deg", "yaw_jitter_deg")


def stored_curves(clip: ClipFeatures) -> FaceCurves:
    """Curves of a clip of the landmark face space from its stored motion (canonical, so pose does not enter)."""
    delta = clip.motion[:, :clip.x_c.size].reshape(len(clip.motion), -1, 3)
    return face_curves(clip.x_c + delta)


def training_reference(clips: Iterable[ClipFeatures], curves_of: Callable[[ClipFeatures], FaceCurves],
                       ridge: float) -> tuple[SpeechToMouth, dict[str, list[float]]]:
    """Fit `mouth_sync`'s regression on training clips, and collect one value per clip of every compared measure."""
    pairs = []
    values: dict[str, list[float]] = {name: [] for name in COMPARED}
    for clip in clips:
        curves = curves_of(clip)
        pairs.append((np.asarray(clip.speech, np.float32), fill_gaps(curves.mouth)))
        numbers = pose_numbers(clip.motion[:, -3:]) | {"blinks_per_min": blinks_per_min(curves, FPS)}
        for name in COMPARED:
            values[name].append(float(numbers[name]))
    return fit_speech_to_mouth(pairs, ridge), values
