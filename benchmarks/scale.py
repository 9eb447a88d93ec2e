"""Memory and time of the driver from 1,000 to 1,000,000 simulated clips: `python -m benchmarks.scale [CLIPS ...]`.

Each size runs in a fresh process, through the code that a stage's driver runs, step by step: `plan` (clip table ->
what is missing, where half the units exist), `schedule` (jobs -> spooled file, batches, Ray's rows), `ray` (a Ray Data
job over those rows whose actors do nothing; with --ray), `pack` (units -> shards; with --pack), `manifest` (one clip in
a hundred rejected), `statistics` (eq. 5 and 6). Only the work that actors do is left out, and the store's files:
units are made up when they are asked for, so that a million of them need no disk. Printed: peak memory of the process
(ru_maxrss) and microseconds a clip, for each step.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_store.manifest import Manifest, Reject, Shard, read_manifest, write_manifest
from feature_store.schema import FAMILIES, MOTION, motion_tensors, speech_tensors
from feature_store.shards import PackedClip, pack
from feature_store.statistics import Moments, motion_statistics
from feature_store.units import UnitKey, write_unit
from pipeline.core.clip_table import ROWS_PER_GROUP, SCHEMA
from pipeline.core.fingerprint import digest
from pipeline.core.paths import CROPS, FEATURES
from pipeline.storage.local import LocalStorage
from stages.extract.compute import MAX_BLOCKS
from stages.extract.jobs import batch_tables, make_batches, spool
from stages.extract.plan import LABELS, Progress, kept_clips, missing_jobs
from stages.extract.transfer import Outbox

SIZES = (1_000, 10_000, 100_000, 1_000_000)
PRINTS = {"motion": "m" * 32, "speech": "s" * 32}
LIMITS = {"max_clip_s": 600.0, "max_memory_gb": 8.0}
CORPUS, FRAMES, KEYPOINTS, SPEECH_DIM = "avspeech", 8, 2, 4


def frames_of(i: int) -> int:
    return 75 + i * 7919 % 676


def write_table(clips: int) -> None:
    """The clip table, all kept: ids in order, 75 to 750 frames, one person for 20 clips."""
    count = range(clips)
    made = {"clip_id": [f"{i:032x}" for i in count], "corpus": [CORPUS] * clips, "status": ["kept"] * clips,
            "identity": [f"{CORPUS}/{i // 20}" for i in count], "frames": [frames_of(i) for i in count],
            "crop_sha256": [f"{i:064x}" for i in count], "speech_sha256": [f"{i + 1:064x}" for i in count]}
    columns = [pa.array(made[field.name], field.type) if field.name in made else pa.nulls(clips, field.type)
               for field in SCHEMA]
    path = CROPS / CORPUS / "clips.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table(columns, schema=SCHEMA), path, compression="zstd", row_group_size=ROWS_PER_GROUP)


class MadeStorage(LocalStorage):
    """A store that holds the units of every other clip, and makes any unit up when it is read."""

    def __init__(self, root: Path, clips: int):
        super().__init__(root)
        self.clips = clips

    def keys(self, prefix: str) -> Iterator[str]:
        family = prefix.split("/", maxsplit=1)[0]
        for i in range(0, self.clips, 2):
            content = f"{i:064x}" if family == MOTION else digest(f"{i + 1:064x}", frames_of(i))
            yield str(UnitKey(family, PRINTS[family], f"{i:032x}", content))

    def get(self, key: str) -> bytes:
        if not key.startswith(FAMILIES):
            return super().get(key)
        family, _, name = key.split("/")
        return _unit(family, name[:32])


def _unit(family: str, clip_id: str) -> bytes:
    outbox, key = Outbox(), UnitKey(family, PRINTS[family], clip_id, "0" * 64)
    tensors = motion_tensors(KEYPOINTS) if family == MOTION else speech_tensors(SPEECH_DIM)
    write_unit(outbox, key, FRAMES, 25, tensors, _values(family))
    return outbox.objects[str(key)]


@functools.cache
def _values(family: str) -> dict[str, np.ndarray]:
    width = 3 * KEYPOINTS + 7
    if family != MOTION:
        return {"features": np.zeros((FRAMES, SPEECH_DIM))}
    return {"x_c": np.zeros((KEYPOINTS, 3)), "motion": np.zeros((FRAMES, width)), "moments": np.ones((2, width))}


def plan(storage: MadeStorage) -> Progress:
    """What `playmate plan` and the stage do first: two passes over the table, one over the store's keys."""
    progress = Progress(storage, PRINTS, LIMITS)
    assert sum(1 for _ in missing_jobs(kept_clips(CORPUS, PRINTS), progress)) == storage.clips // 2
    return progress


def schedule(progress: Progress, run: Callable[[list[pa.Table]], None]) -> None:
    """Jobs on file, batches, the tables that Ray gets."""
    with spool(missing_jobs(kept_clips(CORPUS, PRINTS), progress), Path(".playmate/jobs/run.arrow")) as frames:
        batches = make_batches(frames, 2, 750)
        run(batch_tables(batches, min(MAX_BLOCKS, len(batches))))


class Nothing:
    """An actor that answers as ours do and computes nothing."""

    def __call__(self, batch: dict) -> dict:
        ids = [f"{position:032x}" for positions in batch["positions"] for position in positions]
        return {"clip_id": ids, "frames": [100] * len(ids), "reject": [""] * len(ids)}


def on_ray(tables: list[pa.Table]) -> None:
    """The graph of extraction around actors that do nothing."""
    from pipeline.compute.ray_session import quiet_datasets, ray_session
    from pipeline.core.data_params import Ray

    with ray_session(Ray(address=None, num_cpus=2, object_store_gb=0.25, spill_folder=None, dashboard=False,
                         max_wait_s=60.0)):
        data = quiet_datasets()
        rows = data.from_blocks(tables).map_batches(Nothing, batch_size=1, compute=data.ActorPoolStrategy(size=2))
        assert sum(1 for _ in rows.iter_rows()) == sum(len(positions) for table in tables
                                                       for positions in table["positions"])


def pack_all(storage: MadeStorage, shards: int) -> list[Shard]:
    """All units of both families into shards."""
    return [shard for family in FAMILIES for shard in pack(
        storage, (PackedClip(clip.keys[family], {name: clip.row[name] for name in LABELS})
                  for clip in kept_clips(CORPUS, PRINTS)), shards, FEATURES / CORPUS)]


def manifest(clips: int, shards: list[Shard]) -> None:
    """Write and read the manifest with a reject for every hundredth clip."""
    rejects = [Reject(f"{i:032x}", "extract", "face_not_found", "no face found (frame 3)", 3.0)
               for i in range(0, clips, 100)]
    write_manifest(FEATURES / CORPUS, Manifest(CORPUS, 25, PRINTS, shards, rejects))
    assert len(read_manifest(FEATURES / CORPUS).rejects) == len(rejects)


def statistics(clips: int) -> None:
    """Eq. 5 and 6 over moments that come one after the other."""
    grouped = ((f"{i:032x}", Moments(100, np.full(70, i % 7, float), np.full(70, 100.0))) for i in range(clips))
    motion_statistics(grouped, 1e-4, "clip")


def one_size(clips: int, shards: int, ray: bool) -> dict:
    """Run all steps for `clips` clips in the current folder; peak MiB and microseconds a clip of each."""
    pa.set_memory_pool(pa.system_memory_pool())  # as the stage does
    writer = multiprocessing.get_context("spawn").Process(target=write_table, args=(clips,))  # as preprocess is
    writer.start()
    writer.join()
    storage, result = MadeStorage(Path(".playmate/store"), clips), {}

    def step(name: str, function: Callable, *arguments):
        began = time.perf_counter()
        value = function(*arguments)
        result[name] = {"us_per_clip": (time.perf_counter() - began) / clips * 1e6, "peak_mib": peak_mib()}
        return value

    result["start"] = {"us_per_clip": 0.0, "peak_mib": peak_mib()}
    progress = step("plan", plan, storage)
    step("schedule", schedule, progress, lambda tables: None)
    if ray:
        step("ray", schedule, progress, on_ray)
    packed = step("pack", pack_all, storage, shards) if shards else []
    step("manifest", manifest, clips, packed)
    step("statistics", statistics, clips)
    return result


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=int, nargs="*", default=SIZES)
    parser.add_argument("--pack", action="store_true", help="also pack units into shards: a millisecond a clip")
    parser.add_argument("--ray", action="store_true", help="also run the Ray Data graph with actors that do nothing")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.here:
        (clips,) = arguments.clips
        print(json.dumps(one_size(clips, max(2, clips // 1000) * arguments.pack, arguments.ray)))
        return
    options = [name for name in ("--pack", "--ray") if getattr(arguments, name[2:])]
    _report({clips: _fresh(clips, options) for clips in arguments.clips})


def _fresh(clips: int, options: list[str]) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.scale", str(clips), "--here", *options]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False,
                              env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])})
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def _report(results: dict[int, dict]) -> None:
    steps = list(next(iter(results.values())))
    print("| clips | " + " | ".join(f"{step}: peak MiB, µs a clip" for step in steps) + " |")
    print("|---" * (len(steps) + 1) + "|")
    for clips, result in results.items():
        cells = (f"{result[step]['peak_mib']:.0f}, {result[step]['us_per_clip']:.0f}" for step in steps)
        print(f"| {clips:,} | " + " | ".join(cells) + " |")
    peaks = {clips: result[steps[-1]]["peak_mib"] for clips, result in results.items()}
    if {1_000, 100_000} <= peaks.keys():
        print(f"peak from 1,000 to 100,000 clips: x {peaks[100_000] / peaks[1_000]:.3f} (bar 1.10)")


if __name__ == "__main__":
    main()
