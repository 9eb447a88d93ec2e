"""Emotions over time: "happy", "happy:0.7,surprised:0.2", "sad:0.8@3.5" (from 3.5 s on)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from models.motion.emotions import emotion_weights, parse_mix

FADE_S = 0.4  # one emotion passes into the next in this time, centred on the change
Timeline = list[tuple[float, dict[str, float]]]


def parse_timeline(texts: Sequence[str]) -> Timeline:
    """Read emotions with an optional start time, `NAME[:WEIGHT][,NAME:WEIGHT...][@START_S]` -> (start_s, mix) by time.

    Raises ValueError for another form, two emotions at one time, or a time that is no number.
    """
    timeline = sorted((_parse(text) for text in texts), key=lambda entry: entry[0])
    starts = [start for start, _ in timeline]
    if len(set(starts)) != len(starts):
        raise ValueError("two emotions begin at one time: join them as NAME:WEIGHT,NAME:WEIGHT, or give each @START_S")
    return timeline


def _parse(text: str) -> tuple[float, dict[str, float]]:
    mix, _, start = text.partition("@")
    try:
        start_s = float(start) if start else 0.0
    except ValueError as error:
        raise ValueError(f"emotion {text!r}: after @ comes the start in seconds") from error
    if not 0 <= start_s < float("inf"):
        raise ValueError(f"emotion {text!r}: the start must lie at 0 s or later")
    return start_s, parse_mix(mix)


def timeline_weights(timeline: Timeline, labels: tuple[str, ...], frames: int, fps: float) -> np.ndarray:
    """Weights [frames, labels + 1] of a timeline; before its first entry nothing is asked for (the null class).

    Raises ValueError for an entry that begins after the end.
    """
    if timeline and timeline[-1][0] > frames / fps:
        raise ValueError(f"an emotion begins at {timeline[-1][0]:g} s, but the speech ends at {frames / fps:.2f} s")
    mixes: list[Mapping[str, float]] = [mix for _, mix in timeline]
    starts = [start for start, _ in timeline]
    if starts and starts[0] > 0:
        mixes, starts = [{}, *mixes], [0.0, *starts]
    time_s = (np.arange(frames) + 0.5) / fps
    weights = np.tile(emotion_weights(mixes[0], labels), (frames, 1))
    for start, mix in zip(starts[1:], mixes[1:], strict=True):
        share = np.clip((time_s - start) / FADE_S + 0.5, 0, 1)[:, None]
        weights = weights * (1 - share) + emotion_weights(mix, labels) * share
    return weights.astype(np.float32)


def timeline_frames(emotion: str | Mapping[str, float] | Sequence[str] | None, fps: float) -> int:
    """Frames until nothing changes any more; raises ValueError as `as_weights` does."""
    if emotion is None or isinstance(emotion, Mapping) or len(emotion) == 0:
        return 1
    last_s, _ = parse_timeline([emotion] if isinstance(emotion, str) else list(emotion))[-1]
    return math.ceil((last_s + FADE_S) * fps) + 1


def as_weights(emotion: str | Mapping[str, float] | Sequence[str] | None, labels: tuple[str, ...], frames: int,
               fps: float) -> np.ndarray | None:
    """What a caller gave as emotion -> weights [labels + 1] (constant) or [frames, labels + 1], or None.

    Raises ValueError that lists the known labels, and for an entry that begins after the end.
    """
    if emotion is None or len(emotion) == 0:
        return None
    if isinstance(emotion, Mapping):
        return emotion_weights(emotion, labels)
    timeline = parse_timeline([emotion] if isinstance(emotion, str) else list(emotion))
    if len(timeline) == 1 and timeline[0][0] == 0:
        return emotion_weights(timeline[0][1], labels)
    return timeline_weights(timeline, labels, frames, fps)
