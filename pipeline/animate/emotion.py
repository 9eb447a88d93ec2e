"""Emotions over time: "happy", "happy:0.7,surprised:0.2", "sad:0.8@3.5" (from 3.5 s on)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.motion.emotions import emotion_weights, parse_mix
from pipeline.animate.timeline import check_end, frames_until_settled, over_time, parse_timeline

Timeline = list[tuple[float, dict[str, float]]]


def parse_emotions(emotion: str | Sequence[str]) -> Timeline:
    """Read `NAME[:WEIGHT][,NAME:WEIGHT...][@START_S]` -> (start_s, mix) by time; raises ValueError."""
    return parse_timeline(emotion, parse_mix, "emotion", ", or join them as NAME:WEIGHT,NAME:WEIGHT")


def timeline_frames(emotion: str | Mapping[str, float] | Sequence[str] | None, fps: float) -> int:
    """Frames until nothing changes any more; raises ValueError as `as_weights` does."""
    if emotion is None or isinstance(emotion, Mapping) or len(emotion) == 0:
        return 1
    return frames_until_settled(parse_emotions(emotion), fps)


def as_weights(emotion: str | Mapping[str, float] | Sequence[str] | None, labels: tuple[str, ...], frames: int,
               fps: float) -> np.ndarray | None:
    """What a caller gave as emotion -> weights [labels + 1] (constant) or [frames, labels + 1], or None.

    Raises ValueError that lists the known labels, and for an entry that begins after the end.
    """
    if emotion is None or len(emotion) == 0:
        return None
    if isinstance(emotion, Mapping):
        return emotion_weights(emotion, labels)
    timeline = parse_emotions(emotion)
    if len(timeline) == 1 and timeline[0][0] == 0:
        return emotion_weights(timeline[0][1], labels)
    check_end(timeline, "emotion", frames, fps)
    weights = [(start, emotion_weights(mix, labels)) for start, mix in timeline]
    return over_time(weights, emotion_weights({}, labels), frames, fps).astype(np.float32)
