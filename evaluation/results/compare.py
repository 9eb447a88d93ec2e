"""Whether two evaluated models differ by more than noise: a paired comparison over the clips that both animated.

For each metric the mean of second - first over clips, its percentile bootstrap interval (clips are drawn, both models
together), and a sign-flip test; p values are adjusted for the number of metrics by Holm's method. What is tested is
the draw of test clips: that another seed of the training would make a model as different is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.metrics.bootstrap import mean_interval, paired_p_value
from evaluation.metrics.judges import judge_weights
from evaluation.metrics.table import BY_NAME
from evaluation.results.rows import ClipRow, MeasuredClip
from models.speech.encoder import FPS
from pipeline.core.config import Evaluate

LEVEL = 0.05
MIN_CLIPS = 6  # with fewer, no pattern of signs has a two-sided p below 0.05
SAME = ("weights_sha256", "fps", "frame_stride", "max_lag_frames", "measured_on", "reference", "samples",
        "wrong_speech_frame_stride", "features")  # parts of the protocol that make numbers comparable

DEFINITIONS = {
    "fid": "pytorch-fid 0.3.0: Inception 2015, 2048 features, bilinear to 299 without antialiasing, covariances with "
           "ddof 1, every frame_stride-th frame of all videos",
    "fvd": "I3D Kinetics-400 logits of non-overlapping 16-frame clips at 25 fps, shorter side to 224, centre cut",
    "sync": "syncnet_v2, syncnet_python's crop around SCRFD's box (not S3FD's), 31 shifts",
    "csim": "ArcFace w600k_r50, five-point alignment, portrait against frames of the generated video",
    "lpips_alexnet": "LPIPS v0.1, AlexNet, scalar over the picture, frames of the same time",
    "emo_a": "HSEmotion enet_b0_8_best_vgaf on the landmarks' box, percent of videos, neutral ones too",
}


@dataclass(frozen=True)
class Difference:
    """Of one metric over `clips` clips; `gap` is second - first, `p` is Holm's."""

    metric: str
    clips: int
    first: float
    second: float
    gap: float
    low: float | None
    high: float | None
    p: float
    verdict: str  # better | worse | differs | no more than noise | too few clips


def protocol_of_pairs(clips: Sequence[MeasuredClip], section: Evaluate) -> dict[str, Any]:
    """What must be the same for two evaluations of video pairs to be comparable: stamped into every result; no time,
    host or path."""
    networks = [name for name in section.metrics if name in DEFINITIONS]
    return {"frames": sum(row.frames for row in clips), "fps": FPS,
            "frames_without_face": {"generated": sum(row.number("frames_without_face") for row in clips),
                                    "reference": sum(row.number("frames_without_face_reference") for row in clips)},
            "max_duration_s": section.max_duration_s, "frame_stride": section.frame_stride,
            "max_lag_frames": section.max_lag_frames,
            "bootstrap_draws": section.bootstrap, "emo_a": section.emo_a, "metrics": sorted(section.metrics),
            "definitions": {name: DEFINITIONS[name] for name in sorted(networks)},
            "weights_sha256": judge_weights(section.metrics)}


def compare(first: Sequence[ClipRow], second: Sequence[ClipRow], draws: int, seed: int) -> list[Difference]:
    """Compare evaluations clip by clip; raises ValueError where no clip is measured in both."""
    left, right = _numbers_by_clip(first), _numbers_by_clip(second)
    both = sorted(left.keys() & right.keys())
    if not both:
        raise ValueError("the two evaluations have no measured clip in common: nothing can be compared")
    found = []
    for name in BY_NAME:
        values = [(left[clip].get(name), right[clip].get(name)) for clip in both]
        pairs = [(a, b) for a, b in values if a is not None and b is not None and np.isfinite([a, b]).all()]
        if pairs and any(a != b for a, b in pairs):
            found.append(_difference(name, [a for a, _ in pairs], [b for _, b in pairs], draws, seed))
    return _judge(found)


def differing_protocol(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """In what two evaluations were measured differently, so that their numbers must not be compared."""
    problems = []
    for key in SAME:
        one, other = first.get(key), second.get(key)
        if isinstance(one, dict) and isinstance(other, dict):  # only what both have used counts
            problems += [f"{key}.{name}" for name in one.keys() & other.keys() if one[name] != other[name]]
        elif one != other:
            problems.append(f"{key} ({one} and {other})")
    return sorted(problems)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm (1979): the i-th smallest of m times m - i, never falling, at most 1; in the given order."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    scaled = np.asarray(p_values, np.float64)[order] * np.arange(len(p_values), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return adjusted.tolist()


def _difference(name: str, first: Sequence[float], second: Sequence[float], draws: int, seed: int) -> Difference:
    gaps = [float(b) - float(a) for a, b in zip(first, second, strict=True)]
    gap = mean_interval(gaps, draws, seed)
    p = paired_p_value(second, first, draws, seed)
    return Difference(name, gap.n, float(np.mean(first)), float(np.mean(second)), gap.value, gap.low, gap.high, p, "")


def _judge(found: list[Difference]) -> list[Difference]:
    adjusted = holm([one.p for one in found])
    return [Difference(**{**vars(one), "p": p, "verdict": _verdict(one, p)})
            for one, p in zip(found, adjusted, strict=True)]


def _verdict(one: Difference, p: float) -> str:
    if one.clips < MIN_CLIPS:
        return "too few clips"
    if p > LEVEL or one.low is None or one.high is None or one.low <= 0 <= one.high:
        return "no more than noise"
    better = BY_NAME[one.metric].better
    if better == "closer":
        return "differs"
    return "better" if (one.gap > 0) == (better == "higher") else "worse"


def _numbers_by_clip(rows: Sequence[ClipRow]) -> dict[str, Mapping[str, float | None]]:
    return {row.clip_id: row.numbers for row in rows if isinstance(row, MeasuredClip)}
