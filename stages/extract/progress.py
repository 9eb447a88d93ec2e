"""Run the jobs of extraction: a line of progress, the heartbeat, quarantined clips, the rates that were measured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from feature_store.manifest import Reject
from feature_store.units import write_quarantine
from pipeline.compute.progress import Progress
from pipeline.core.atomic import write_json
from pipeline.core.config import Params
from pipeline.core.paths import WORK
from pipeline.storage import Storage
from stages.extract.plan import Clip, limits_of, store_location

PATH = WORK / "rates.json"


@dataclass(frozen=True)
class Rate:
    """Seconds of one actor a frame, over `frames` frames of one fingerprint."""

    frames: int
    seconds: float
    fingerprint: str

    @property
    def per_frame_s(self) -> float:
        return self.seconds / self.frames


class Rates:
    """Sums up the statuses of one run; `start_s` is the time until the first clip was finished."""

    def __init__(self) -> None:
        self.sums: dict[str, Rate] = {}
        self.start_s: float | None = None

    def add(self, status: dict, elapsed_s: float) -> None:
        """One clip's status: `seconds` is JSON of family -> [fingerprint, frames, seconds]."""
        for family, (fingerprint, frames, seconds) in json.loads(status.get("seconds") or "{}").items():
            old = self.sums.get(family, Rate(0, 0.0, fingerprint))
            self.sums[family] = Rate(old.frames + frames, old.seconds + seconds, fingerprint)
            if self.start_s is None:
                self.start_s = max(elapsed_s - seconds, 0.0)

    def save(self) -> None:
        """Keep what was measured last of each family."""
        if not self.sums:
            return
        value = {family: vars(rate) for family, rate in ({**read_rates(), **self.sums}).items()}
        write_json(PATH, {"families": value, "start_s": self.start_s or 0.0})


def read_rates() -> dict[str, Rate]:
    """The last measured rate of each family; empty before the first extraction."""
    return {family: Rate(**rate) for family, rate in _read().get("families", {}).items()}


def read_start_s() -> float:
    """Seconds until the first clip of a run is in work: Ray's start and loading the models."""
    return float(_read().get("start_s", 0.0))


def _read() -> dict:
    return json.loads(PATH.read_text()) if PATH.is_file() else {}


Jobs = Callable[[], Iterator[tuple[Clip, list[str]]]]


def run_jobs(jobs: Jobs, params: Params, storage: Storage, say: Callable[[str], None]) -> None:
    """Compute all of `jobs`; what is finished or given up lies in `storage` when a clip's status comes back."""
    from stages.extract.compute import compute

    clips, frames = 0, 0
    for clip, _ in jobs():
        clips, frames = clips + 1, frames + clip.row["frames"]
    progress = Progress("extract", clips, "clips", say, frames)
    rates = Rates()
    for status in compute(jobs(), params, store_location(params)):
        if status.get("quarantine"):
            write_quarantine(storage, status["quarantine"], Reject(**json.loads(status["reject"])), limits_of(params))
        rates.add(status, time.monotonic() - progress.began)
        progress.add(status["frames"], bool(status["reject"]))
    rates.save()
