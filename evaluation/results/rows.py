"""Rows of an evaluation's tables. What the judges in use say stands in one mapping, by the name of its column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MEASURED, FAILED = "measured", "failed"  # status of a clip


@dataclass(frozen=True, kw_only=True)
class MeasuredClip:
    """A generated film against the true one; None in `numbers` where there is nothing to measure.

    A test clip has its corpus, its seed and the clip whose speech was the wrong one. A pair of anyone's videos has the
    lengths of both before they were cut to `frames`, and whether there was sound.
    """

    clip_id: str
    identity: str  # empty where nobody was named
    frames: int
    numbers: Mapping[str, float | None]
    corpus: str | None = None
    seed: int | None = None
    wrong_clip_id: str | None = None
    frames_generated: int | None = None
    frames_reference: int | None = None
    has_sound: bool | None = None

    def number(self, name: str) -> float:
        """A number that every clip has; raises ValueError where it is not there."""
        value = self.numbers.get(name)
        if value is None:
            raise ValueError(f"clip {self.clip_id} has no {name}")
        return value


@dataclass(frozen=True)
class LostClip:
    """A clip without numbers, and why; `stage` of a pair alone."""

    clip_id: str
    status: str
    code: str
    detail: str
    stage: str | None = None


ClipRow = MeasuredClip | LostClip


@dataclass(frozen=True)
class GridRow:
    """One clip at one setting of the guidance scales; without `w_e` no emotion is asked for."""

    model: str
    clip_id: str
    w_a: float
    w_e: float | None
    numbers: Mapping[str, float | None]


@dataclass(frozen=True)
class GridLine:
    """A setting over all its clips: means, and distances over all their frames."""

    w_a: float
    w_e: float | None
    numbers: Mapping[str, float | None]
    clips: int


@dataclass(frozen=True)
class VariantLine:
    """A model trained with one switch changed: means over clips."""

    model: str
    switch: str  # as a line of params.yaml
    numbers: Mapping[str, float | None]
    clips: int


@dataclass(frozen=True)
class Repeat:
    """One of the times that a passage is said; `numbers`: errors, spread, jitter, and the mouth where it is known."""

    model: str
    repeat: int  # from 1
    start_s: float
    seconds: float
    numbers: Mapping[str, float]


@dataclass(frozen=True)
class MouthPoint:
    """Mouth openings in one frame, by film; None without a face, or where a film was not made."""

    clip_id: str
    frame: int
    numbers: Mapping[str, float | None]
