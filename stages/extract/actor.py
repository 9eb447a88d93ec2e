"""What an actor of extraction does: a clip's whole way in one process. Processes of their own: extraction/pools.py.

An object that is stored already is not computed again, so a block of clips that Ray retries costs only what was
in hand when it was lost.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from feature_store.manifest import Reject
from feature_store.units import UnitKey
from pipeline.compute.guarded_child import limit_memory
from pipeline.core.config import Params
from pipeline.core.paths import WORK
from pipeline.storage import ObjectMissing, Storage, open_storage
from stages.extract.attempts import LOST, MEMORY, Attempts
from stages.extract.clip import ClipExtractor, CropFiles
from stages.extract.jobs import Job, JobFile

ATTEMPTS = WORK / "attempts"
Maker = Callable[[Params, Storage], ClipExtractor]


@dataclass(frozen=True)
class Work:
    """What every actor is told; `make` is a function that workers can import."""

    params: Params
    store: str
    run: str
    project: str
    jobs: Path
    make: Maker

    def enter(self) -> None:
        """Go to the project folder, where data and the job file are; raises FileNotFoundError."""
        if not Path(self.project).is_dir():
            raise FileNotFoundError(f"the project folder {self.project} is not on this node: every node must reach it")
        os.chdir(self.project)

    def attempts(self, step: str, clips: int = 1) -> Attempts:
        """Notes of one step of this run, for as many clips at once."""
        return Attempts(ATTEMPTS / self.run / step, self.params.extract.max_clip_s * clips)


class ExtractionActor:
    """All of a clip's way in one process; its models are loaded once."""

    def __init__(self, work: Work):
        work.enter()
        self.storage = open_storage(work.store)
        self.jobs, self.attempts = JobFile(work.jobs), work.attempts("extract")
        self.extractor = work.make(work.params, self.storage)
        self.limited = 0.0 if work.params.extract.gpus_per_actor else work.params.extract.max_memory_gb
        if self.limited:  # after the models are loaded; a GPU's driver maps far more than it uses
            limit_memory(self.limited)

    def __call__(self, batch: dict) -> dict:
        """Rows of `batches.batch_tables` -> one status each clip: clip_id, frames, reject (JSON, '' for none)."""
        jobs = [job for positions in batch["positions"] for job in self.jobs.jobs(positions)]
        return columns([self._clip(job) for job in jobs])

    def _clip(self, job: Job, media: CropFiles | None = None) -> dict:
        """One clip on its own: its attempt is noted."""
        reject = self.attempts.reject_of(job.clip_id)
        if reject is None:
            with self.attempts.attempt(job.clip_id):
                reject = self._extract(job, media or CropFiles())
        return status(job, reject, self.extractor.seconds)

    def _extract(self, job: Job, media: CropFiles) -> Reject | None:
        missing = [key for key in job.keys if not _is_stored(self.storage, key)]
        self.extractor.seconds = {}
        try:
            return self.extractor.extract(job.path, job.frames, missing, media) if missing else None
        except MemoryError as error:
            if not self.limited:
                raise
            return Reject(job.clip_id, "extract", MEMORY, str(error) or "out of memory", self.limited)


def columns(statuses: list[dict]) -> dict:
    """Rows -> the columns that Ray Data takes."""
    return {name: [status[name] for status in statuses] for name in statuses[0]}


def status(job: Job, reject: Reject | None, seconds: dict | None = None) -> dict:
    """What the driver is told: `quarantine` is the key of a clip's reason where other limits may do better."""
    return {"clip_id": job.clip_id, "frames": job.frames, "reject": json.dumps(asdict(reject)) if reject else "",
            "quarantine": job.keys[0].quarantine if reject and reject.code in LOST else "",
            "seconds": json.dumps(seconds or {})}


def _is_stored(storage: Storage, key: UnitKey) -> bool:
    try:
        return storage.size(str(key)) > 0
    except ObjectMissing:
        return False
