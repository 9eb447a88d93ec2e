"""What the actors of extraction do: decode, compute, write, in one process or each in processes of its own.

An object that is stored already is not computed again, so a block of clips that Ray retries costs only what was
in hand when it was lost.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from feature_store.manifest import Reject
from feature_store.schema import MOTION
from feature_store.units import UnitKey
from pipeline.config import Params
from pipeline.paths import WORK
from pipeline.storage import ObjectMissing, Storage, open_storage
from stages.extraction.attempts import LOST, MEMORY, Attempts
from stages.extraction.batches import Job, JobFile
from stages.extraction.carried import (
    PICTURES,
    WAVEFORM,
    BatchedSpace,
    CarriedMedia,
    Medium,
    Outbox,
    decoded_row,
    finished_row,
)
from stages.extraction.clip import ClipExtractor, CropFiles, reject_of
from stages.media.guarded_child import limit_memory

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
        reject = self.attempts.given_up(job.clip_id)
        if reject is None:
            with self.attempts.attempt(job.clip_id):
                reject = self._extract(job, media or CropFiles())
        return _status(job, reject, self.extractor.seconds)

    def _extract(self, job: Job, media: CropFiles) -> Reject | None:
        missing = [key for key in job.keys if not _stored(self.storage, key)]
        self.extractor.seconds = {}
        try:
            return self.extractor.extract(job.path, job.frames, missing, media) if missing else None
        except MemoryError as error:
            if not self.limited:
                raise
            return Reject(job.clip_id, "extract", MEMORY, str(error) or "out of memory", self.limited)


class Decoder:
    """Crops and speech of a batch of clips -> one row of arrays. Runs on CPU nodes."""

    def __init__(self, work: Work):
        work.enter()
        self.jobs, self.attempts, self.files = JobFile(work.jobs), work.attempts("decode"), CropFiles()

    def __call__(self, batch: dict) -> pa.Table:
        return pa.concat_tables([self._batch(positions) for positions in batch["positions"]])

    def _batch(self, positions: np.ndarray) -> pa.Table:
        return decoded_row(positions, [medium for job in self.jobs.jobs(positions) for medium in self._clip(job)])

    def _clip(self, job: Job) -> list[Medium]:
        kinds = [PICTURES if key.family == MOTION else WAVEFORM for key in job.keys]
        lost = self.attempts.given_up(job.clip_id)
        if lost is not None:
            return [Medium(job.path, kind, None, lost, lost=True) for kind in kinds]
        with self.attempts.attempt(job.clip_id):
            return [self._medium(job, kind) for kind in kinds]

    def _medium(self, job: Job, kind: str) -> Medium:
        try:
            return Medium(job.path, kind, getattr(self.files, kind)(job.path))
        except (OSError, MemoryError):
            raise
        except Exception as error:
            return Medium(job.path, kind, None, reject_of(job.clip_id, error))


class Forward(ExtractionActor):
    """Models on decoded batches -> one row of finished objects. Runs where the GPUs are.

    All clips of a batch are computed together. A batch that killed its process is taken apart in the next attempt:
    its clips are computed one by one, so that the one to blame is found and the others are kept.
    """

    def __init__(self, work: Work):
        super().__init__(work)
        self.work, self.outbox = work, Outbox()
        self.extractor.storage = self.outbox
        self.extractor.space = BatchedSpace(self.extractor.space)

    def __call__(self, batch: pa.Table) -> pa.Table:
        return pa.concat_tables([self._batch(batch.slice(i, 1)) for i in range(batch.num_rows)])

    def _batch(self, row: pa.Table) -> pa.Table:
        jobs, media = self.jobs.jobs(row["positions"][0].as_py()), CarriedMedia(row)
        self.outbox.objects = {}
        batches, name = self.work.attempts("batch", len(jobs)), jobs[0].clip_id
        if len(jobs) == 1 or batches.tried(name):
            statuses = [self._carried(job, media, self._clip) for job in jobs]
        else:
            with batches.attempt(name):
                self.extractor.space.prepare(media.all_pictures())
                statuses = [self._carried(job, media, self._unnoted) for job in jobs]
        return finished_row(self.outbox.objects, statuses)

    @staticmethod
    def _carried(job: Job, media: CarriedMedia, clip: Callable[[Job, CarriedMedia], dict]) -> dict:
        lost = media.lost(job.path)
        return clip(job, media) if lost is None else _status(job, lost)

    def _unnoted(self, job: Job, media: CarriedMedia) -> dict:
        reject = self._extract(job, media)
        return _status(job, reject, self.extractor.seconds)


class Writer:
    """Puts finished objects into the store -> statuses of the clips. Waits for the network, needs no core."""

    def __init__(self, work: Work):
        work.enter()
        self.storage = open_storage(work.store)

    def __call__(self, batch: pa.Table) -> dict:
        for keys, data in zip(batch["keys"], batch["data"], strict=True):
            for key, value in zip(keys.as_py(), data.values, strict=True):
                self.storage.put_if_absent(key, value.as_buffer().to_pybytes())
        return columns([status for row in batch["statuses"].to_pylist() for status in json.loads(row)])


def columns(statuses: list[dict]) -> dict:
    """Rows -> the columns that Ray Data takes."""
    return {name: [status[name] for status in statuses] for name in statuses[0]}


def _status(job: Job, reject: Reject | None, seconds: dict | None = None) -> dict:
    """What the driver is told: `quarantine` is the key of a clip's reason where other limits may do better."""
    return {"clip_id": job.clip_id, "frames": job.frames, "reject": json.dumps(asdict(reject)) if reject else "",
            "quarantine": job.keys[0].quarantine if reject and reject.code in LOST else "",
            "seconds": json.dumps(seconds or {})}


def _stored(storage: Storage, key: UnitKey) -> bool:
    try:
        return storage.size(str(key)) > 0
    except ObjectMissing:
        return False
