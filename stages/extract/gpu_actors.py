"""Decoding, forward passes and writing as actors of their own, for clusters whose GPUs must not wait for decoders.

jobs -> Decoder (CPU nodes) -> Forward (GPU nodes) -> Writer -> statuses. A batch of clips travels as one row
(extraction/carried.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from feature_store.schema import MOTION
from pipeline.storage import open_storage
from stages.extract.actor import ExtractionActor, Work, columns, status
from stages.extract.clip import CropFiles, reject_of
from stages.extract.jobs import Job, JobFile
from stages.extract.transfer import (
    PICTURES,
    WAVEFORM,
    BatchedSpace,
    CarriedMedia,
    Medium,
    Outbox,
    decoded_row,
    result_row,
)


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
        lost = self.attempts.reject_of(job.clip_id)
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
        self.extractor.space = self.space = BatchedSpace(self.extractor.space)

    def __call__(self, batch: pa.Table) -> pa.Table:
        return pa.concat_tables([self._batch(batch.slice(i, 1)) for i in range(batch.num_rows)])

    def _batch(self, row: pa.Table) -> pa.Table:
        jobs, media = self.jobs.jobs(row["positions"][0].as_py()), CarriedMedia(row)
        self.outbox.objects = {}
        batches, name = self.work.attempts("batch", len(jobs)), jobs[0].clip_id
        if len(jobs) == 1 or batches.has_begun(name):
            statuses = [self._run_clip(job, media, self._clip) for job in jobs]
        else:
            with batches.attempt(name):
                self.space.prepare(media.all_pictures())
                statuses = [self._run_clip(job, media, self._run_speech) for job in jobs]
        return result_row(self.outbox.objects, statuses)

    @staticmethod
    def _run_clip(job: Job, media: CarriedMedia, clip: Callable[[Job, CarriedMedia], dict]) -> dict:
        lost = media.fault_of(job.path)
        return clip(job, media) if lost is None else status(job, lost)

    def _run_speech(self, job: Job, media: CarriedMedia) -> dict:
        reject = self._extract(job, media)
        if MOTION in self.extractor.seconds:  # computed with the others of the batch: this clip's share of it
            self.extractor.seconds[MOTION][2] += job.frames * self.space.seconds_per_frame
        return status(job, reject, self.extractor.seconds)


class Writer:
    """Puts finished objects into the store -> statuses of the clips. Waits for the network, needs no core."""

    def __init__(self, work: Work):
        work.enter()
        self.storage = open_storage(work.store)

    def __call__(self, batch: pa.Table) -> dict:
        for keys, data in zip(batch["keys"], batch["data"], strict=True):
            for key, value in zip(keys.as_py(), data.values, strict=True):
                self.storage.put_if_absent(key, value.as_buffer().to_pybytes())
        return columns([done for row in batch["statuses"].to_pylist() for done in json.loads(row)])
