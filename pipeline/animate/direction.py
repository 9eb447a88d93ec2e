"""How somebody directs a performance: one set of options for films, streams, dubbing, requests over HTTP and the page.

Each dial is a number or, as emotions are, a timeline: 0.5, "0.5", "1; 0@3.5", ["1", "0@3.5"]. What is not given stays
the model's own, also until the first entry of a timeline begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.generation.request import Curves
from models.motion.clock import FPS
from pipeline.animate.timeline import check_end, frames_until_settled, over_time, parse_timeline

MAX_GUIDANCE = 10.0  # faces fall apart long before
Emotion = str | Mapping[str, float] | Sequence[str] | None
Timed = float | str | Sequence[str] | None


@dataclass(frozen=True)
class Dial:
    """What a dial takes: numbers from 0 to `most`; `own` is the model's, and what holds until a timeline begins."""

    name: str
    most: float
    own: float


POSE_SCALE = Dial("pose scale", 3.0, 1.0)
MOUTH_SCALE = Dial("mouth scale", 2.0, 1.0)


@dataclass(frozen=True)
class Direction:
    """Options of a performance; None: the model's own.

    `emotion`: a name, "happy:0.7,surprised:0.2", weights by name, or several texts with start times ("sad@3.5"); None
    asks for none. `audio_scale`, `emotion_scale`: w_a and w_e of eq. 8. `steps` of sampling. `rest`: the mouth rests
    where nobody speaks, unless an emotion is asked for, which may part the lips; without it song and strange sounds
    move it, too.

    Dials over time: `pose_scale` scales how far the head goes from the portrait's pose (0: still, 1: as generated),
    `mouth_scale` how far the mouth goes from rest (0: shut).
    """

    emotion: Emotion = None
    audio_scale: float | None = None
    emotion_scale: float | None = None
    steps: int | None = None
    seed: int = 0
    rest: bool = True
    pose_scale: Timed = None
    mouth_scale: Timed = None

    def settings(self) -> dict[str, Any]:
        """The sampler's, where given; raises ValueError for values out of their range."""
        for name, scale in (("speech (audio scale)", self.audio_scale),
                            ("emotion (emotion scale)", self.emotion_scale)):
            if scale is not None and not 0 <= scale <= MAX_GUIDANCE:
                raise ValueError(f"the guidance of {name} is {scale:g}: it must lie between 0 and {MAX_GUIDANCE:g}")
        if self.seed < 0:
            raise ValueError(f"the seed is {self.seed}: it must be a whole number from 0 on")
        given = {"audio_scale": self.audio_scale, "emotion_scale": self.emotion_scale, "steps": self.steps}
        return {name: value for name, value in given.items() if value is not None}

    def curves(self, frames: int | None = None) -> Curves:
        """The dials frame by frame; `frames` of the film, None where nobody knows yet. Raises ValueError."""
        return Curves(pose_scale=dial_curve(self.pose_scale, POSE_SCALE, frames),
                      mouth_scale=dial_curve(self.mouth_scale, MOUTH_SCALE, frames))


def dial_curve(given: Timed, dial: Dial, frames: int | None) -> np.ndarray | None:
    """A dial as given -> its values [T] at `FPS`, of which the last one stays, or None.

    Raises ValueError for a value out of its range, another form, or an entry that begins after the end.
    """
    if given is None or (not isinstance(given, (int, float)) and len(given) == 0):
        return None
    texts = f"{given:g}" if isinstance(given, (int, float)) else given
    timeline = parse_timeline(texts, lambda text: _value(text, dial), dial.name)
    if frames is not None:
        check_end(timeline, dial.name, frames, FPS)
    return over_time(timeline, dial.own, frames_until_settled(timeline, FPS), FPS)


def _value(text: str, dial: Dial) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise ValueError(f"{dial.name} {text!r}: write a number, or NUMBER@SECONDS") from error
    if not 0 <= value <= dial.most:
        raise ValueError(f"{dial.name} {text}: it must lie between 0 and {dial.most:g}")
    return value
