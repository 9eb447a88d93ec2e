"""How somebody directs a performance: one set of options for films, streams, dubbing, requests over HTTP and the page.

Each dial is a number or, as emotions are, a timeline: 0.5, "0.5", "1; 0@3.5", ["1", "0@3.5"]. What is not given stays
the model's own, also until the first entry of a timeline begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from models.generation.request import ALL_STEPS, Curves, SampleSettings
from models.motion.blinks import OWN_PER_MIN
from models.motion.clock import FPS
from pipeline.animate.timeline import check_end, frames_until_settled, over_time, parse_timeline

MAX_GUIDANCE = 10.0  # faces fall apart long before
Emotion = str | Mapping[str, float] | Sequence[str] | None
Timed = float | str | Sequence[str] | None


GAZES = {"free": 0.0, "camera": 1.0}


@dataclass(frozen=True)
class Dial:
    """What a dial takes: numbers from 0 to `most`, or `words` for some; without a `most` the words alone."""

    name: str
    most: float | None
    words: Mapping[str, float] = field(default_factory=dict)


POSE_SCALE, MOUTH_SCALE = Dial("pose scale", 3.0), Dial("mouth scale", 2.0)
BLINK, GAZE = Dial("blink", 60.0, {"off": 0.0}), Dial("gaze", None, GAZES)
EXPRESSION_SCALE, POSE_GUIDANCE = Dial("expression scale", MAX_GUIDANCE), Dial("pose guidance", MAX_GUIDANCE)


@dataclass(frozen=True)
class Direction:
    """Options of a performance; None: the model's own.

    `emotion`: a name, "happy:0.7,surprised:0.2", weights by name, or several texts with start times ("sad@3.5"); None
    asks for none. `audio_scale`, `emotion_scale`: w_a and w_e of eq. 8. `steps` of sampling. `rest`: the mouth rests
    where nobody speaks, unless an emotion is asked for, which may part the lips; without it song and strange sounds
    move it, too.

    Dials, over time: `pose_scale` scales how far the head goes from the portrait's pose (0: still, 1: as generated),
    `mouth_scale` how far the mouth goes from rest (0: shut), `blink` is a rate a minute or "off", `gaze` "camera" (the
    eyes stay where the portrait's look, however the head turns) or "free". `expression_scale` and `pose_guidance` are
    w_a for expression and head pose alone; w_e reaches the expression only.

    `guided`: the part of sampling in which eq. 8 guides, "0:0.6" for all but the last steps. `like`: a video of the
    person, from which a generated pose takes its deviations (eq. 6) and the eyes, unless `blink` is given, their rate.
    """

    emotion: Emotion = None
    audio_scale: float | None = None
    emotion_scale: float | None = None
    steps: int | None = None
    seed: int = 0
    rest: bool = True
    pose_scale: Timed = None
    mouth_scale: Timed = None
    blink: Timed = None
    gaze: Timed = None
    expression_scale: Timed = None
    pose_guidance: Timed = None
    guided: str | None = None
    like: Path | str | bytes | None = None

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

    def as_keywords(self) -> dict[str, Any]:
        """What was asked for, as keywords of `Animator.animate`."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name)) != one.default}

    def check(self) -> None:
        """Raise ValueError for what no model could follow, before one is loaded."""
        self.settings()
        self.part()
        self.curves(None)
        if isinstance(self.like, Path) and not self.like.is_file():
            raise ValueError(f"like {self.like}: no such file")

    def part(self) -> tuple[float, float]:
        """`guided` as numbers; raises ValueError."""
        if self.guided is None:
            return ALL_STEPS
        try:
            first, last = (float(text) for text in self.guided.split(":"))
        except ValueError as error:
            raise ValueError(f"guided {self.guided!r}: write FROM:TO, such as 0:0.6") from error
        if not 0 <= first < last <= 1:
            raise ValueError(f"guided {self.guided}: two shares of sampling, 0 <= FROM < TO <= 1")
        return first, last

    def curves(self, own: SampleSettings | None, frames: int | None = None,
               blinks_per_min: float | None = None) -> Curves:
        """The dials frame by frame; `frames` of the film, None where nobody knows yet. `own`: the model's settings
        (None: eq. 8 without guidance), `blinks_per_min` the eyes' rate without a dial (None: that of
        `models.motion.blinks`). Raises ValueError."""
        w_a, share = (1.0, 1.0) if own is None else (own.audio_scale, own.pose_share)
        w_a = w_a if self.audio_scale is None else self.audio_scale
        rate = OWN_PER_MIN if blinks_per_min is None else blinks_per_min
        blinks = dial_curve(self.blink, BLINK, frames, rate)
        if blinks is None and blinks_per_min is not None:
            blinks = np.full(1, blinks_per_min)
        return Curves(pose_scale=dial_curve(self.pose_scale, POSE_SCALE, frames, 1.0),
                      mouth_scale=dial_curve(self.mouth_scale, MOUTH_SCALE, frames, 1.0), blinks_per_min=blinks,
                      gaze=dial_curve(self.gaze, GAZE, frames, GAZES["free"]),
                      expression_scale=dial_curve(self.expression_scale, EXPRESSION_SCALE, frames, w_a),
                      pose_guidance=dial_curve(self.pose_guidance, POSE_GUIDANCE, frames, w_a * share))


def dial_curve(given: Timed, dial: Dial, frames: int | None, own: float) -> np.ndarray | None:
    """A dial as given -> its values [T] at `FPS`, of which the last one stays, or None; `own` until it begins.

    Raises ValueError for a value out of its range, another form, or an entry that begins after the end.
    """
    if given is None or (not isinstance(given, (int, float)) and len(given) == 0):
        return None
    texts = repr(given) if isinstance(given, (int, float)) else given
    timeline = parse_timeline(texts, lambda text: _value(text, dial), dial.name)
    if frames is not None:
        check_end(timeline, dial.name, frames, FPS)
    return over_time(timeline, own, frames_until_settled(timeline, FPS), FPS)


def _value(text: str, dial: Dial) -> float:
    if text in dial.words:
        return dial.words[text]
    wanted = [*(["a number"] if dial.most is not None else []), *dial.words]
    try:
        value = float(text if dial.most is not None else "no number")
    except ValueError as error:
        raise ValueError(f"{dial.name} {text!r}: write {' or '.join(wanted)}; @SECONDS says from when on") from error
    if dial.most is not None and not 0 <= value <= dial.most:
        raise ValueError(f"{dial.name} {text}: it must lie between 0 and {dial.most:g}")
    return value
