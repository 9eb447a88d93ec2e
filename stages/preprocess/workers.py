"""Many units over guarded processes: threads that wait for them here, Ray where there are many clips or a cluster."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Any

from pipeline.compute.device import gpu_places
from pipeline.compute.guard import Failure, GuardedWorker
from pipeline.compute.resources import Actors
from pipeline.compute.work import run
from pipeline.core.config import Params
from pipeline.core.data_params import ProcessLimits
from pipeline.core.fingerprint import file_sha256
from pipeline.storage import ObjectMissing
from stages.preprocess import clip as preprocess_clip
from stages.preprocess.records import WORKER_ERROR, Unit, WorkFolder
from stages.preprocess.task import Answer, Reason


def run_units(units: list[Unit], settings: dict[str, Any], params: Params, work: WorkFolder) -> Iterator[Unit]:
    """Process and commit every unit, yield each when it is done, in any order: results do not depend on it."""
    longest_first = sorted(units, key=lambda unit: (-unit.media_bytes, unit.row.media, unit.name))
    section, on_cluster = params.preprocess, params.ray.address is not None
    here = params.ray.num_cpus or len(os.sched_getaffinity(0))
    actors = Actors("preprocess", len(units) if on_cluster else here, section.gpus_per_actor)
    ray = params.ray if on_cluster or len(units) >= section.ray_min_clips else None
    gpus = None if ray or not actors.gpus_per_actor else _gpus(actors.gpus_per_actor)
    for unit, _ in run(longest_first, partial(UnitWorker, settings, section.limits, work, gpus), actors, ray,
                       threads=True):
        yield unit


def _gpus(share: float) -> Queue[str]:
    """A GPU of this machine for every process that fits."""
    free: Queue[str] = Queue()
    for gpu in gpu_places(share):
        free.put(gpu)
    return free


class UnitWorker:
    """Owns one guarded process, so that a clip that crashes never crashes the worker (`pipeline.compute.work`)."""

    def __init__(self, settings: dict[str, Any], limits: ProcessLimits, work: WorkFolder,
                 gpus: Queue[str] | None = None):
        gpu = gpus.get() if gpus and not gpus.empty() else None  # none where they are only counted
        self._limits, self._work, self._guarded = limits, work, guard_worker(settings, limits, gpu)

    def __call__(self, unit: Unit) -> None:
        process(unit, self._guarded, self._limits, self._work)

    def close(self) -> None:
        self._guarded.close()


def guard_worker(settings: dict[str, Any], limits: ProcessLimits, gpu: str | None = None) -> GuardedWorker:
    """`gpu`: the one that it sees, by CUDA's name; None: what this process sees."""
    memory_gb = None if settings["params"]["gpus_per_actor"] else limits.max_memory_gb
    return GuardedWorker(preprocess_clip.__name__, settings, limits.max_decode_s, memory_gb, gpu)


def process(unit: Unit, worker: GuardedWorker, limits: ProcessLimits, work: WorkFolder) -> None:
    """Run one unit and commit its record; what its process does not survive becomes a reject."""
    folder = work.folder(unit)
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".raw") as scratch:
        try:
            media, audio = _at_hand(unit, Path(scratch))
        except (FileNotFoundError, ObjectMissing) as error:
            gone = f"gone since it was listed: {error.args[-1]}"
            work.write(unit, Answer({}, [], Reason("read", "unreadable_file", gone)), limits)
            return
        answer = _answer(unit, worker.run(unit.task(folder, media, audio).message()))
        sha256 = unit.media_sha256 or file_sha256(media)
    work.write(unit, replace(answer, source=answer.source | {"media_sha256": sha256}), limits)


def _answer(unit: Unit, said: dict[str, Any] | Failure) -> Answer:
    if isinstance(said, Failure):
        return Answer({}, [], Reason("decode", said.code, said.detail, said.value))
    if "failed" in said:
        print(f"{unit.row.corpus} {unit.row.key}: {said['traceback']}", file=sys.stderr, flush=True)
        return Answer({}, [], Reason("decode", WORKER_ERROR, said["detail"][:500]))
    return Answer.of(said)


def _sweep(folder: Path) -> None:
    """Remove what a killed run left half done."""
    for left in folder.glob(".*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()


def _at_hand(unit: Unit, scratch: Path) -> tuple[Path, Path | None]:
    """The unit's files on this machine's disk."""
    media = unit.source.fetch(unit.row.media, scratch / "media")
    return media, unit.source.fetch(unit.row.audio, scratch / "audio") if unit.row.audio else None
