"""Extraction on Ray Data: clips stream through a pool of actors that store what they finish themselves.

Ray carries clip ids out and a short status back, nothing else; a lost actor costs the clips it had in hand.
"""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from feature_store.units import UnitKey
from pipeline.components import make_face_space, make_speech_encoder
from pipeline.config import Params
from pipeline.paths import FACE_SPACE
from pipeline.ray_runtime import quiet_datasets, ray_session
from pipeline.storage import open_storage
from stages.extraction.attempts import Attempts, sweep
from stages.extraction.clip import ClipExtractor
from stages.extraction.plan import Clip

MAX_BLOCKS = 2000


class ExtractionActor:
    """What an actor of the pool runs; its models are loaded once."""

    def __init__(self, params: Params, store: str, run: str, project: str):
        os.chdir(project)
        _one_thread()
        self.storage = open_storage(store)
        self.attempts = Attempts(self.storage, run, params.extract.max_clip_s)
        self.extractor = ClipExtractor(make_face_space(params.face_space.kind, FACE_SPACE),
                                       make_speech_encoder(params.speech), self.storage, params.preprocess.fps)

    def __call__(self, batch: dict) -> dict:
        """Rows of `job_row` -> one status each: clip_id, frames and the reject's fields (code is '' where kept)."""
        statuses = [self._clip(*job) for job in zip(batch["path"], batch["frames"], batch["keys"], strict=True)]
        return {name: [status[name] for status in statuses] for name in statuses[0]}

    def _clip(self, path: str, frames: int, keys: list[dict]) -> dict:
        wanted = [UnitKey(**key) for key in keys]
        clip_id = wanted[0].clip_id
        reject = self.attempts.given_up(clip_id)
        if reject is None:
            with self.attempts.attempt(clip_id):
                reject = self.extractor.extract(Path(path), int(frames), wanted)
        return {"clip_id": clip_id, "frames": int(frames), "code": reject.code if reject else "",
                "detail": reject.detail if reject else ""}


def compute(jobs: list[tuple[Clip, list[str]]], params: Params, store: str) -> Iterator[dict]:
    """Compute the missing families of every clip; yield its status when it is finished. Longest clips first."""
    storage = open_storage(store)
    sweep(storage)
    ordered = sorted(jobs, key=lambda job: (-job[0].row["frames"], job[0].clip_id))
    rows = [job_row(clip, families) for clip, families in ordered]
    with ray_session(params.ray) as ray:
        data = quiet_datasets()
        blocks = min(MAX_BLOCKS, math.ceil(len(rows) / params.extract.batch_clips))
        size = max(1, min(params.extract.actors, blocks, int(ray.cluster_resources()["CPU"])))
        arguments = (params, store, uuid.uuid4().hex[:12], os.getcwd())
        results = data.from_items(rows, override_num_blocks=blocks).map_batches(
            ExtractionActor, fn_constructor_args=arguments, batch_size=params.extract.batch_clips, num_cpus=1,
            compute=data.ActorPoolStrategy(size=size))
        yield from results.iter_rows()
    sweep(storage)


def job_row(clip: Clip, families: list[str]) -> dict:
    """What Ray carries to an actor."""
    return {"path": str(clip.path), "frames": clip.row["frames"],
            "keys": [asdict(clip.keys[family]) for family in families]}


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
