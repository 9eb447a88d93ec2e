"""Extraction on Ray Data: clips stream through a pool of actors that store what they finish themselves.

Ray carries clip ids out and a short status back, nothing else; a lost actor costs the clips it had in hand.
"""

from __future__ import annotations

import json
import math
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from feature_store.units import UnitKey
from pipeline.components import make_face_space, make_speech_encoder
from pipeline.config import Params
from pipeline.paths import FACE_SPACE, WORK
from pipeline.ray_runtime import quiet_datasets, ray_session
from pipeline.storage import Storage, open_storage
from stages.extraction.attempts import Attempts, sweep
from stages.extraction.clip import ClipExtractor
from stages.extraction.plan import Clip

ATTEMPTS = WORK / "attempts"
MAX_BLOCKS = 2000


Maker = Callable[[Params, Storage], ClipExtractor]


def make_extractor(params: Params, storage: Storage) -> ClipExtractor:
    """Load the models that `params` names, for one core."""
    import torch

    torch.set_num_threads(1)
    return ClipExtractor(make_face_space(params.face_space.kind, FACE_SPACE), make_speech_encoder(params.speech),
                         storage, params.preprocess.fps)


@dataclass(frozen=True)
class Work:
    """What every actor is told; `make` is a function that workers can import."""

    params: Params
    store: str
    run: str
    project: str
    make: Maker


class ExtractionActor:
    """What an actor of the pool runs; its models are loaded once."""

    def __init__(self, work: Work):
        if not Path(work.project).is_dir():
            raise FileNotFoundError(f"the project folder {work.project} is not on this node: every node must reach it")
        os.chdir(work.project)
        storage = open_storage(work.store)
        self.attempts = Attempts(ATTEMPTS / work.run, work.params.extract.max_clip_s)
        self.extractor = work.make(work.params, storage)

    def __call__(self, batch: dict) -> dict:
        """Rows of `job_row` -> one status each: clip_id, frames, reject (JSON, '' where there is none)."""
        statuses = [self._clip(*job) for job in zip(batch["path"], batch["frames"], batch["keys"], strict=True)]
        return {name: [status[name] for status in statuses] for name in statuses[0]}

    def _clip(self, path: str, frames: int, keys: list[dict]) -> dict:
        wanted = [UnitKey(**key) for key in keys]
        clip_id = wanted[0].clip_id
        reject = self.attempts.given_up(clip_id)
        if reject is None:
            with self.attempts.attempt(clip_id):
                reject = self.extractor.extract(Path(path), int(frames), wanted)
        return {"clip_id": clip_id, "frames": int(frames), "reject": json.dumps(asdict(reject)) if reject else ""}


def compute(jobs: list[tuple[Clip, list[str]]], params: Params, store: str,
            make: Maker = make_extractor) -> Iterator[dict]:
    """Compute the missing families of every clip; yield its status when it is finished. Longest clips first."""
    sweep(ATTEMPTS)
    ordered = sorted(jobs, key=lambda job: (-job[0].row["frames"], job[0].clip_id))
    rows = [job_row(clip, families) for clip, families in ordered]
    with ray_session(params.ray) as ray:
        data = quiet_datasets()
        blocks = min(MAX_BLOCKS, math.ceil(len(rows) / params.extract.batch_clips))
        size = max(1, min(params.extract.actors, blocks, int(ray.cluster_resources()["CPU"])))
        work = Work(params, store, uuid.uuid4().hex[:12], os.getcwd(), make)
        results = data.from_items(rows, override_num_blocks=blocks).map_batches(
            ExtractionActor, fn_constructor_args=(work,), batch_size=params.extract.batch_clips, num_cpus=1,
            compute=data.ActorPoolStrategy(size=size))
        yield from results.iter_rows()
    sweep(ATTEMPTS)


def job_row(clip: Clip, families: list[str]) -> dict:
    """What Ray carries to an actor."""
    return {"path": str(clip.path), "frames": clip.row["frames"],
            "keys": [asdict(clip.keys[family]) for family in families]}
