"""Many units over guarded processes: a plain pool on one machine, Ray Data where there are many clips or a cluster."""

from __future__ import annotations

import os
import queue
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from pipeline.compute.guard import Failure, GuardedWorker
from pipeline.compute.ray_session import quiet_datasets, ray_session
from pipeline.core.config import Params, Preprocess
from pipeline.core.fingerprint import file_sha256
from pipeline.storage import ObjectMissing
from stages.preprocess import clip as preprocess_clip
from stages.preprocess.records import WORKER_ERROR, Unit, WorkFolder

BLOCK_CLIPS = 8


def run_units(units: list[Unit], settings: dict[str, Any], params: Params, work: WorkFolder) -> Iterator[Unit]:
    """Process and commit every unit, yield each when it is done, in any order: results do not depend on it."""
    if not units:
        return
    longest_first = sorted(units, key=lambda unit: (-unit.media_bytes, unit.row.media, unit.name))
    if params.ray.address is not None or len(units) >= params.preprocess.ray_min_clips:
        yield from _by_ray(longest_first, settings, params, work)
    else:
        yield from _by_pool(longest_first, settings, params, work)


def guarded(settings: dict[str, Any], params: Preprocess) -> GuardedWorker:
    return GuardedWorker(preprocess_clip.__name__, settings, params.max_decode_s, params.max_memory_gb)


def process(unit: Unit, worker: GuardedWorker, params: Preprocess, work: WorkFolder) -> None:
    """Run one unit and commit its record; what its process does not survive becomes a reject."""
    folder = work.folder(unit)
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".raw") as scratch:
        try:
            media, audio = _at_hand(unit, Path(scratch))
        except (FileNotFoundError, ObjectMissing) as error:
            work.write(unit, {"source": {}, "pieces": [], "reject": {
                "stage": "read", "code": "unreadable_file", "detail": f"gone since it was listed: {error.args[-1]}",
                "value": None}}, params)
            return
        answer = worker.run(unit.task(folder, media, audio))
        sha256 = unit.media_sha256 or file_sha256(media)
    if isinstance(answer, Failure):
        reject = {"stage": "decode", "code": answer.code, "detail": answer.detail, "value": answer.value}
        answer = {"source": {}, "pieces": [], "reject": reject}
    elif "failed" in answer:
        print(f"{unit.row.corpus} {unit.row.key}: {answer['traceback']}", file=sys.stderr, flush=True)
        reject = {"stage": "decode", "code": WORKER_ERROR, "detail": answer["detail"][:500], "value": None}
        answer = {"source": {}, "pieces": [], "reject": reject}
    answer["source"]["media_sha256"] = sha256
    work.write(unit, answer, params)


def _sweep(folder: Path) -> None:
    """Remove what a killed run left half done."""
    for left in folder.glob(".*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()


def _at_hand(unit: Unit, scratch: Path) -> tuple[Path, Path | None]:
    """The unit's files on this machine's disk."""
    media = unit.source.fetch(unit.row.media, scratch / "media")
    return media, unit.source.fetch(unit.row.audio, scratch / "audio") if unit.row.audio else None


def _by_pool(units: list[Unit], settings, params: Params, work: WorkFolder) -> Iterator[Unit]:
    count = min(len(units), params.ray.num_cpus or len(os.sched_getaffinity(0)))
    workers: queue.SimpleQueue[GuardedWorker] = queue.SimpleQueue()
    for _ in range(count):
        workers.put(guarded(settings, params.preprocess))

    def job(unit: Unit) -> Unit:
        worker = workers.get()
        try:
            process(unit, worker, params.preprocess, work)
        finally:
            workers.put(worker)
        return unit

    pool = ThreadPoolExecutor(count)
    try:
        for future in as_completed([pool.submit(job, unit) for unit in units]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)
        for _ in range(count):
            workers.get().close()


class _Actor:
    """A Ray Data actor: owns one guarded process, so that a clip that crashes never crashes the actor."""

    def __init__(self, settings: dict[str, Any], params: Preprocess, work: WorkFolder):
        self._params, self._work = params, work
        self._worker = guarded(settings, params)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        for unit in batch["item"]:
            process(unit, self._worker, self._params, self._work)
        return {"name": [unit.name for unit in batch["item"]]}


def _by_ray(units: list[Unit], settings, params: Params, work: WorkFolder) -> Iterator[Unit]:
    by_name = {unit.name: unit for unit in units}
    with ray_session(params.ray) as ray:
        actors = max(1, min(len(units), int(ray.cluster_resources().get("CPU", 1))))
        data, blocks = quiet_datasets(), max(actors, len(units) // BLOCK_CLIPS)
        most = actors if params.ray.address is None else blocks  # a cluster may grow
        rows = data.from_items(units, override_num_blocks=blocks)
        done = rows.map_batches(_Actor, batch_size=1, fn_constructor_args=(settings, params.preprocess, work),
                                compute=data.ActorPoolStrategy(min_size=actors, max_size=most))
        for row in done.iter_rows():
            yield by_name[row["name"]]
