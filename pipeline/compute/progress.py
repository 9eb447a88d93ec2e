"""How far a stage is: a line every few seconds, and the heartbeat that `playmate status` shows."""

from __future__ import annotations

import time
from collections.abc import Callable

from pipeline.core import heartbeat

SAY_EVERY_S = 5.0


class Progress:
    """`name: 3 of 9 clips, 300 frames, 50 frames/s, 1 rejected, 12 s left`, at most every five seconds and at the end.

    Time left goes by frames where `frames`, their total, is known, else by items. Both rates are those since the first
    item was finished: starting workers and loading models would make them look slow.
    """

    def __init__(self, name: str, total: int, unit: str, say: Callable[[str], None], frames: int | None = None):
        self.name, self.total, self.unit, self.say, self.total_frames = name, total, unit, say, frames
        self.began, self.told_s, self.done, self.frames, self.rejected = time.monotonic(), 0.0, 0, 0, 0
        self._first = (0.0, 0, 0)  # seconds, items and frames when the first item was finished

    def add(self, frames: int = 0, rejected: bool = False) -> None:
        """One item is finished."""
        self.done, self.frames, self.rejected = self.done + 1, self.frames + frames, self.rejected + rejected
        elapsed_s = max(time.monotonic() - self.began, 1e-9)
        if self.done == 1:
            self._first = elapsed_s, self.done, self.frames
        left_s = self._left_s(elapsed_s)
        heartbeat.report(self.done, self.total, self.unit, self.rejected, left_s=left_s)
        if elapsed_s - self.told_s >= SAY_EVERY_S or self.done == self.total:
            self.told_s = elapsed_s
            self.say(self._line(elapsed_s, left_s))

    def _left_s(self, elapsed_s: float) -> float:
        if self.total_frames is None:
            return (self.total - self.done) / self._rate(elapsed_s, self.done, self._first[1])
        return (self.total_frames - self.frames) / self._rate(elapsed_s, self.frames, self._first[2])

    def _rate(self, elapsed_s: float, done: int, first: int) -> float:
        """A second; the first lines have nothing but the whole time to go by."""
        since_s = elapsed_s - self._first[0]
        return (done - first) / since_s if since_s >= SAY_EVERY_S and done > first else max(done, 1) / elapsed_s

    def _line(self, elapsed_s: float, left_s: float) -> str:
        parts = [f"{self.name}: {self.done} of {self.total} {self.unit}"]
        if self.frames or self.total_frames is not None:
            parts += [f"{self.frames} frames",
                      f"{self._rate(elapsed_s, self.frames, self._first[2]):.0f} frames/s"]
        if self.rejected:
            parts.append(f"{self.rejected} rejected")
        return ", ".join([*parts, f"{left_s:.0f} s left"])
