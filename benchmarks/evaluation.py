"""Evaluation against the sum of its forward passes: `python -m benchmarks.evaluation [--clips 3] [--repeats 3]`.

Run it in a project folder with a trained model. `bare` makes the same motions and pictures and calls every metric
network once on what it needs, decoded and aligned already; `evaluation` is a clip's whole way: read, generate, render,
look, measure, encode both films, store. Processor time of one process, both by turns, best of each.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.jobs.clip import FPS, ClipJob, JobSettings
from evaluation.jobs.parts import Parts, load_parts
from evaluation.jobs.plan import clip_jobs, test_clips
from evaluation.jobs.saved import fresh_folder, save_result
from evaluation.metrics.faces import align
from evaluation.metrics.measure import look_at
from feature_store.reader import open_store
from pipeline.core import paths
from pipeline.core.config import Params, load_params
from pipeline.core.split_table import read_split
from pipeline.media.crops import read_crop


@dataclass(frozen=True)
class Ready:
    """What the forward passes of a clip start from."""

    job: ClipJob
    frames: np.ndarray  # [T, S, S, 3]
    faces: np.ndarray  # [n, 112, 112, 3] aligned


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--clips", type=int, default=3)
    arguments.add_argument("--repeats", type=int, default=3)
    chosen = arguments.parse_args()
    params, section = load_params(), load_params().evaluate
    parts = load_parts(paths.FACE_SPACE, paths.EMOTION_BUNDLE, FPS, section.metrics, "cpu")
    settings = JobSettings.of(section)
    jobs = clip_jobs(test_clips(open_store(params.corpora), read_split(paths.SPLIT), params, chosen.clips,
                                section.max_duration_s))
    _report(jobs, parts, settings, chosen.repeats, params)


def _report(jobs: list[ClipJob], parts: Parts, settings: JobSettings, repeats: int, params: Params) -> None:
    ready = [_ready(job, parts, settings) for job in jobs]
    best: dict[str, float] = {}
    for turn in range(repeats):
        for name, work in _passes(ready, parts, settings).items():
            best[name] = min(best.get(name, np.inf), _cpu(work))
        with tempfile.TemporaryDirectory() as folder:
            whole = _cpu(lambda at=Path(folder) / str(turn): _whole(jobs, parts, settings, at))
        best["evaluation"] = min(best.get("evaluation", np.inf), whole)
    frames, bare = sum(len(job.clip) for job in jobs), sum(best.values()) - best["evaluation"]
    for name, seconds in [*best.items(), ("bare, sum", bare)]:
        print(f"{name:28} {seconds:7.2f} s {frames / seconds:8.1f} frames per processor second")
    print(f"evaluation runs at {bare / best['evaluation']:.3f} of the speed of its forward passes ({len(jobs)} clips, "
          f"{frames} frames, {params.evaluate.samples} samples, networks on every {settings.frame_stride}th frame)")


def _ready(job: ClipJob, parts: Parts, settings: JobSettings) -> Ready:
    frames = read_crop(Path(job.clip.crop), range(len(job.clip)))
    seen = look_at(frames, parts.judges)
    faces = [align(frames[t], seen.landmarks.points[t]) for t in range(0, len(frames), settings.frame_stride)]
    return Ready(job, frames, np.stack(faces))


def _passes(ready: list[Ready], parts: Parts, settings: JobSettings) -> dict[str, Callable[[], object]]:
    """Every network with what it is given for one clip: two films, and the wrong speech's rendered in part."""
    judges, head, control = parts.judges, parts.head, settings.control_stride
    portraits = [head.portrait(one.frames[0]) for one in ready]
    motions = [head.motions([portrait.request(one.job.clip.speech, seed=one.job.clip.seed)])[0]
               for one, portrait in zip(ready, portraits, strict=True)]
    speeches = [[one.job.clip.speech] * settings.samples + [one.job.wrong_speech] for one in ready]
    small = [one.frames[::settings.frame_stride] for one in ready]
    passes = {
        "portrait": lambda: [head.portrait(one.frames[0]) for one in ready],
        "motion": lambda: [head.motions([portrait.request(each, seed=seed) for seed, each in enumerate(speech)])
                           for portrait, speech in zip(portraits, speeches, strict=True)],
        "rendering": lambda: [[head.frames(portrait, motion[::stride]) for stride in (1, control)]
                              for portrait, motion in zip(portraits, motions, strict=True)],
        "landmarks": lambda: [[judges.landmarks(one.frames[::stride]) for stride in (1, 1, control)] for one in ready],
        "lpips": lambda: [judges.lpips(frames, frames) for frames in small]}
    passes |= {name: lambda network=network: [(network(one.faces), network(one.faces)) for one in ready]
               for name, network in judges.identity.items()}
    return passes | {name: lambda network=network: [(network(frames), network(frames)) for frames in small]
                     for name, network in judges.features.items()}


def _whole(jobs: list[ClipJob], parts: Parts, settings: JobSettings, folder: Path) -> None:
    for index, job in enumerate(jobs):
        target = fresh_folder(folder / str(index))
        save_result(target, job.run(parts, settings, target))


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
