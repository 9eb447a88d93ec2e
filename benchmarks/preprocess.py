"""Speed of preprocessing against its limit and against a plain loop: `python -m benchmarks.preprocess FOLDER`.

FOLDER holds talking videos, sound in the file or in a `.wav` beside it. Measured are

    decode   the same files decoded by the same decoder and nothing else, as many processes as the stage has
    loop     one process, one clip after another: the work of the stage (`ClipWorker`) without guard, pool and records;
             its networks are loaded before the clock starts
    loops    as many such loops side by side, each over all files: what the machine's cores give when all are busy
    stage    `stages.preprocess.stage` from an empty work folder, the start of its processes included

Decoder, encoder and networks have one thread each, in the loop as in every process of the stage. Loop, loops and stage
take turns for `--rounds`, the fastest of each counts: other work on the machine only ever slows. `--copies` makes the
run long enough for the start of processes not to decide. Processor seconds stand beside the wall's, and what the stage
takes beyond the loop is named: cores that slow each other, the start of processes, the rest. The loop is profiled in a
run of its own for the cost of every part (`benchmarks.preprocess_parts`).
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import resource
import shutil
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import av

from benchmarks.preprocess_parts import cost_by_part
from pipeline.core.config import Params, load_params
from stages.preprocess import stage as preprocess
from stages.preprocess import workers as preprocess_workers
from stages.preprocess.clip import load_worker
from stages.preprocess.task import ClipTask

VIDEO = (".mp4", ".mkv", ".mov", ".webm")


@dataclass
class Cost:
    wall_s: float
    cpu_s: float
    clips: int
    frames: int

    def __str__(self) -> str:
        return (f"{self.wall_s:8.1f} s wall {self.cpu_s:8.1f} s CPU   {self.clips / self.wall_s:6.2f} clips/s "
                f"{self.frames / self.wall_s:7.1f} frames/s   {self.frames / self.cpu_s:7.1f} frames a CPU second")


def cpu_s() -> float:
    """Processor seconds of this process and its ended children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--clips", type=int, help="at most so many, the shortest first")
    parser.add_argument("--copies", type=int, default=2, help="every clip so many times")
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    files = sorted((p for p in args.folder.iterdir() if p.suffix in VIDEO), key=lambda p: p.stat().st_size)[:args.clips]
    params, many = load_params(), files * args.copies
    settings = preprocess.worker_settings(params, params.corpora["hdtf"])
    decode = decoding(many, args.workers)
    print(f"decode  {decode}", flush=True)
    took: dict[str, list[Cost]] = {"loop": [], "loops": [], "stage": []}
    for _ in range(args.rounds):
        took["loop"].append(plain_loop(many, settings))
        took["loops"].append(side_by_side(many, settings, args.workers))
        took["stage"].append(whole_stage(files, args.copies, params, args.workers))
        print("\n".join(f"{name:7} {costs[-1]}" for name, costs in took.items()), flush=True)
    start = start_of_worker(settings, params)
    print(f"start   {start.wall_s:.1f} s wall, {start.cpu_s:.1f} s CPU for one of the stage's processes", flush=True)
    best = {name: Cost(min(c.wall_s for c in costs), min(c.cpu_s for c in costs), costs[0].clips, costs[0].frames)
            for name, costs in took.items()}
    _ratios(decode, best["loop"], best["stage"], start, args.workers)
    _beyond(best["loop"], best["loops"], best["stage"], start, args.workers)
    print("cost by part, share of the loop: " + ", ".join(
        f"{part} {share:.0%}" for part, share in cost_by_part(lambda profile: plain_loop(files, settings, profile))))


def decoding(files: list[Path], workers: int) -> Cost:
    """All frames of all files, one decoder thread a process."""
    wall, cpu = time.perf_counter(), cpu_s()
    with ProcessPoolExecutor(workers) as pool:
        frames = sum(pool.map(_decode, files))
    return Cost(time.perf_counter() - wall, cpu_s() - cpu, len(files), frames)


def _decode(path: Path) -> int:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        return sum(1 for _ in container.decode(stream))


def plain_loop(files: list[Path], settings: dict, profile=None) -> Cost:
    """One clip after another in this process, under a cProfile.Profile if given; the networks are loaded before the
    clock starts."""
    worker = load_worker(settings)
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu, frames = time.perf_counter(), cpu_s(), 0
        for number, path in enumerate(files):
            task = _task(path, Path(folder, str(number)))
            task.folder.mkdir()
            answer = profile.runcall(worker, task) if profile else worker(task)
            frames += sum(piece["frames"] for piece in answer.pieces)
        return Cost(time.perf_counter() - wall, cpu_s() - cpu, len(files), frames)


def side_by_side(files: list[Path], settings: dict, workers: int) -> Cost:
    """`workers` plain loops at once, each over all files: the sum of their processor seconds, the mean time."""
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        costs = pool.starmap(plain_loop, [(files, settings)] * workers, chunksize=1)
    return Cost(sum(c.wall_s for c in costs) / workers, sum(c.cpu_s for c in costs), workers * len(files),
                sum(c.frames for c in costs))


def _task(path: Path, folder: Path) -> ClipTask:
    sound = path.with_suffix(".wav")
    return ClipTask("hdtf", path.stem, path, sound if sound.exists() else None, folder)


def start_of_worker(settings: dict, params: Params) -> Cost:
    """What a guarded process costs before its first clip."""
    wall, cpu = time.perf_counter(), cpu_s()
    with preprocess_workers.guard_worker(settings, params.preprocess.limits) as worker:
        worker.run(_task(Path("/nowhere"), Path()).message())
    return Cost(time.perf_counter() - wall, cpu_s() - cpu, 0, 0)


def whole_stage(files: list[Path], copies: int, params: Params, workers: int) -> Cost:
    """The stage on links to the files, each under `copies` names, as a corpus without a list."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw" / "hdtf"
        raw.mkdir(parents=True)
        for path, copy in itertools.product(files, range(copies)):
            for found in {path, path.with_suffix(".wav")}:
                if found.exists():
                    shutil.copy(found, raw / f"{copy}{found.name}")
        ours = params.model_copy(update={"corpora": {"hdtf": params.corpora["hdtf"].model_copy(update={
                                             "path": str(raw)})},
                                         "ray": params.ray.model_copy(update={"num_cpus": workers})})
        os.chdir(folder)
        try:
            wall, cpu = time.perf_counter(), cpu_s()
            rows = preprocess.preprocess("hdtf", ours)
            frames = sum(row["frames"] or 0 for row in rows)
            return Cost(time.perf_counter() - wall, cpu_s() - cpu, copies * len(files), frames)
        finally:
            os.chdir(here)


def _ratios(decode: Cost, loop: Cost, stage: Cost, start: Cost, workers: int) -> None:
    print(f"stage against loop, by the wall: {loop.wall_s / stage.wall_s:.2f}x, without the start of its processes "
          f"{loop.wall_s / (stage.wall_s - start.wall_s):.2f}x; {workers} cores by processor seconds: "
          f"{workers * loop.cpu_s / stage.cpu_s:.2f}x")
    print(f"stage against decoding alone: {decode.wall_s / stage.wall_s:.2f} of its speed by the wall, "
          f"{decode.cpu_s / stage.cpu_s:.2f} by processor seconds")


def _beyond(loop: Cost, loops: Cost, stage: Cost, start: Cost, workers: int) -> None:
    slowed, started = loops.cpu_s / workers - loop.cpu_s, workers * start.cpu_s
    print(f"processor seconds of the stage beyond the loop's {loop.cpu_s:.1f}: {stage.cpu_s - loop.cpu_s:.1f}, of them "
          f"cores that slow each other {slowed:.1f}, start of {workers} processes {started:.1f}, the rest "
          f"{stage.cpu_s - loop.cpu_s - slowed - started:.1f}; the most that {workers} busy cores give over one: "
          f"{workers * loop.cpu_s / (loops.cpu_s / workers):.2f}x")


if __name__ == "__main__":
    main()
