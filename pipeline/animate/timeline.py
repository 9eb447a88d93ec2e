"""What changes over a film: entries `WHAT@SECONDS`, each from its second on; one passes into the next in `FADE_S`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

FADE_S = 0.4  # centred on the change
MAX_ENTRIES = 200
Value = TypeVar("Value")


def parse_timeline(texts: str | Sequence[str], read: Callable[[str], Value], what: str,
                   hint: str = "") -> list[tuple[float, Value]]:
    """Read `WHAT[@START_S]`, several as a list or as one text with ; between them -> (start_s, value) by time.

    `what` is named in messages, `hint` says what else could be done about two entries of one time. Raises ValueError
    for another form, two entries at one time, or a time that is no number; and what `read` raises.
    """
    entries = texts.split(";") if isinstance(texts, str) else [part for text in texts for part in text.split(";")]
    if len(entries) > MAX_ENTRIES:
        raise ValueError(f"{what}: {len(entries)} entries, at most {MAX_ENTRIES} are read")
    timeline = sorted(((_start_s(entry, what), read(entry.partition("@")[0].strip())) for entry in entries),
                      key=lambda entry: entry[0])
    starts = [start for start, _ in timeline]
    if len(set(starts)) != len(starts):
        raise ValueError(f"two entries of {what} begin at one time: give each @START_S{hint}")
    return timeline


def _start_s(entry: str, what: str) -> float:
    start = entry.partition("@")[2]
    try:
        start_s = float(start) if start else 0.0
    except ValueError as error:
        raise ValueError(f"{what} {entry.strip()!r}: after @ comes the start in seconds") from error
    if not 0 <= start_s < float("inf"):
        raise ValueError(f"{what} {entry.strip()!r}: the start must lie at 0 s or later")
    return start_s


def over_time(timeline: Sequence[tuple[float, np.ndarray | float]], before: np.ndarray | float, frames: int,
              fps: float) -> np.ndarray:
    """Values [...] of a timeline -> [frames, ...] float64; `before` until its first entry begins."""
    starts, values = [start for start, _ in timeline], [np.asarray(value, np.float64) for _, value in timeline]
    if starts[0] > 0:
        starts, values = [0.0, *starts], [np.asarray(before, np.float64), *values]
    time_s = ((np.arange(frames) + 0.5) / fps).reshape(-1, *[1] * values[0].ndim)
    found = np.broadcast_to(values[0], (frames, *values[0].shape))
    for start, value in zip(starts[1:], values[1:], strict=True):
        share = np.clip((time_s - start) / FADE_S + 0.5, 0, 1)
        found = (1 - share) * found + share * value
    return found


def check_end(timeline: Sequence[tuple[float, object]], what: str, frames: int, fps: float) -> None:
    """Raise ValueError for an entry that begins after the end."""
    if timeline[-1][0] > frames / fps:
        raise ValueError(f"{what}: an entry begins at {timeline[-1][0]:g} s, but the speech ends at "
                         f"{frames / fps:.2f} s")


def frames_until_settled(timeline: Sequence[tuple[float, object]], fps: float) -> int:
    """Frames after which nothing changes any more."""
    return math.ceil((timeline[-1][0] + FADE_S) * fps) + 1
