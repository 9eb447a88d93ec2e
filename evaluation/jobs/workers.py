"""Evaluation jobs over processes of one machine, or over the Ray cluster that `ray.address` names.

Every job commits its result to its own folder; what is there already is not computed again. On a cluster the
project's folder must be on a disk that all nodes share.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.jobs.clip import ClipJob, JobSettings, run_clip
from evaluation.jobs.emotion import EmotionJob, TrueEmotionJob, run_emotion, run_true_emotion
from evaluation.jobs.pair import PairJob, run_pair
from evaluation.jobs.parts import Parts, load_parts
from evaluation.jobs.pose import PoseJob, run_pose
from evaluation.jobs.reading import VideoReader
from evaluation.jobs.saved import fresh_folder, save_result
from evaluation.metrics.judges import load_judges
from evaluation.metrics.lip_sync import SpeechToMouth
from evaluation.results.files import Result
from models.motion.face_space import FaceNotFound
from pipeline.compute.ray_session import ray_session
from pipeline.core.config import Ray

Job = ClipJob | EmotionJob | TrueEmotionJob | PoseJob | PairJob


@dataclass(frozen=True)
class WorkerSpec:
    """What a worker loads once."""

    face_space_folder: Path
    bundle_folder: Path | None  # None: videos of others are judged, no model is loaded
    fps: int
    metrics: tuple[str, ...]
    sync: SpeechToMouth | None
    settings: JobSettings
    reading: dict[str, Any] | None = None  # of other people's videos: settings of VideoReader


@dataclass(frozen=True)
class Task:
    """A job and the folder of its result."""

    job: Job
    folder: Path


@dataclass(frozen=True)
class Done:
    """A finished task; `code` is None where it went well."""

    folder: Path
    code: str | None
    detail: str | None


class Worker:
    """Parts in memory, one thread; runs task after task."""

    def __init__(self, spec: WorkerSpec, parts: Parts | None = None):
        self.spec = spec
        self.parts = parts or _load(spec)
        self._reader = VideoReader(**spec.reading) if spec.reading else None

    def run(self, task: Task) -> Done:
        """Run and commit one task; a clip that cannot be done is reported, not raised."""
        folder = fresh_folder(task.folder)
        try:
            save_result(folder, self._result(task.job, folder))
        except FaceNotFound as error:
            return Done(task.folder, "face_not_found", str(error))
        except (ValueError, OSError, RuntimeError) as error:
            return Done(task.folder, type(error).__name__, str(error))
        return Done(task.folder, None, None)

    def _result(self, job: Job, folder: Path) -> Result:
        if isinstance(job, ClipJob):
            return run_clip(job, self.parts, self.spec.sync, self.spec.settings, folder)
        if isinstance(job, EmotionJob):
            return run_emotion(job, self.parts, self.spec.settings, folder)
        if isinstance(job, PoseJob):
            return run_pose(job, self.parts, self.spec.settings, folder)
        if isinstance(job, PairJob):
            return run_pair(job, self.parts.judges, self.spec.settings, self._reader)
        return run_true_emotion(job, self.parts.judges, self.spec.settings)


def _load(spec: WorkerSpec) -> Parts:
    if spec.bundle_folder is None:
        return Parts(load_judges(spec.fps, spec.metrics))
    return load_parts(spec.face_space_folder, spec.bundle_folder, spec.fps, spec.metrics)


def run_tasks(tasks: list[Task], spec: WorkerSpec, workers: int, ray: Ray) -> Iterator[Done]:
    """Yield every task when it is done, in any order."""
    if not tasks:
        return
    if ray.address is None:
        yield from _by_processes(tasks, spec, workers)
    else:
        yield from _by_ray(tasks, spec, workers, ray)


_worker: list[Worker] = []  # of this process


def _start(spec: WorkerSpec) -> None:
    _worker.append(Worker(spec))


def _run(task: Task) -> Done:
    return _worker[0].run(task)


def _by_processes(tasks: list[Task], spec: WorkerSpec, workers: int) -> Iterator[Done]:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the children load their libraries
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(tasks)), context, _start, (spec,)) as pool:
        for future in as_completed([pool.submit(_run, task) for task in tasks]):
            yield future.result()


def _by_ray(tasks: list[Task], spec: WorkerSpec, workers: int, section: Ray) -> Iterator[Done]:
    with ray_session(section) as ray:
        actor = ray.remote(num_cpus=1, max_restarts=3, max_task_retries=3)(Worker)
        pool = ray.util.ActorPool([actor.remote(ray.put(spec)) for _ in range(min(workers, len(tasks)))])
        yield from pool.map_unordered(lambda worker, task: worker.run.remote(task), tasks)
