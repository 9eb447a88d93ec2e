"""Run the jobs of extraction: a line of progress, the heartbeat, quarantined clips, the rates that were measured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

from pipeline.core import heartbeat
from pipeline.core.config import Params
from pipeline.storage import Storage
from stages.extraction.plan import Clip, limits_of, store_location
from stages.extraction.rates import Rates

SAY_EVERY_S = 5.0
Jobs = Callable[[], Iterator[tuple[Clip, list[str]]]]


def computed(jobs: Jobs, params: Params, storage: Storage, say: Callable[[str], None]) -> None:
    """Compute all of `jobs`; what is finished or given up lies in `storage` when a clip's status comes back."""
    from stages.extraction.cluster import compute

    clips, frames = 0, 0
    for clip, _ in jobs():
        clips, frames = clips + 1, frames + clip.row["frames"]
    told = _Telling(clips, frames, say)
    rates = Rates()
    for status in compute(jobs(), params, store_location(params)):
        if status.get("quarantine"):
            _quarantine(storage, status, params)
        rates.add(status, time.monotonic() - told.began)
        told.one(status)
    rates.save()


def _quarantine(storage: Storage, status: dict, params: Params) -> None:
    value = {"reject": json.loads(status["reject"]), "limits": limits_of(params)}
    storage.put(status["quarantine"], json.dumps(value, sort_keys=True).encode())


class _Telling:
    """One line every few seconds: clips, frames, rate, rejects, time left.

    The rate is that since the first clip was finished: Ray's start and loading the models would make it look slow.
    """

    def __init__(self, clips: int, frames: int, say: Callable[[str], None]):
        self.clips, self.frames, self.say = clips, frames, say
        self.began, self.told, self.done, self.seen, self.lost = time.monotonic(), 0.0, 0, 0, 0
        self.first_s, self.first_frames = 0.0, 0

    def one(self, status: dict) -> None:
        self.done, self.seen = self.done + 1, self.seen + status["frames"]
        self.lost += bool(status["reject"])
        elapsed = max(time.monotonic() - self.began, 1e-9)
        if self.done == 1:
            self.first_s, self.first_frames = elapsed, self.seen
        left = (self.frames - self.seen) / self._rate(elapsed)
        heartbeat.report(self.done, self.clips, "clips", self.lost, left_s=left)
        if elapsed - self.told >= SAY_EVERY_S or self.done == self.clips:
            self.told = elapsed
            self.say(f"extract: {self.done} of {self.clips} clips, {self.seen} frames, "
                     f"{self._rate(elapsed):.0f} frames/s, {self.lost} rejected, {left:.0f} s left")

    def _rate(self, elapsed: float) -> float:
        """Frames a second; the first line has nothing but the whole time to go by."""
        since, frames = elapsed - self.first_s, self.seen - self.first_frames
        return frames / since if since >= SAY_EVERY_S and frames else max(self.seen, 1) / elapsed
