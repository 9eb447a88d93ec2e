"""The training loop under Ray Train: N workers, CPU (gloo) or GPU (NCCL), restarted by Ray when one is lost.

State lives in our own checkpoints below the run's name, which is the digest of everything that enters the training: a
changed parameter is another run, an unchanged one goes on where it stopped.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pipeline.core.config import Params, Ray, Train
from pipeline.storage import Storage, open_storage
from training.engine.context import Context, Report, WorkerContext
from training.engine.progress import Reporter
from training.engine.record import record_end, tracked_run
from training.engine.sharding import ShardedContext
from training.engine.stops import TrainingStopped, clear_stops, stop_message
from training.engine.verdict import verdict
from training.motion.films import Films
from training.motion.job import Job
from training.motion.loop import train

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
KEPT_BYTES, LARGEST_BYTES = 1 << 28, 1 << 25  # 32 MB is the most that glibc takes for the second


def keep_freed_memory() -> None:
    """Have glibc hand freed memory to the next step and not to the system.

    By its own rule it returns what lies free above twice its largest block, and every step takes the same pages anew: a
    page fault each, a third of the time in which a batch is built. Elsewhere than on glibc nothing is done.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_BYTES)


MAX_FAILURES = 3  # of workers; preempted nodes do not count


@dataclass(frozen=True)
class RunPlan:
    """What every worker is told; `make_job(params, storage, name)` is a function that workers can import."""

    make_job: Callable[[Params, Storage, str], Job]
    params: Params
    name: str
    work: str  # folder or s3:// location of checkpoints and Ray's own records
    workers: int
    experiment: str
    fingerprints: dict[str, str]  # of all that enters, for the tracking record
    min_workers: int = 1
    data: dict[str, Path] = field(default_factory=dict)  # corpus -> what names its clips, for the record; {}: no record
    section: Train | None = None  # None: not one of the two stages
    write_bundle: Callable[[Path, Job, dict[str, Any]], None] | None = None  # of a state, for films
    train: Callable[[Any, Context], dict[str, Any]] = train


def run_worker(config: dict[str, Any]) -> None:
    """What Ray Train runs on every worker."""
    import ray.train
    import ray.train.torch

    plan: RunPlan = config["plan"]
    os.chdir(config["project"])
    keep_freed_memory()
    torch.set_num_threads(config["threads"])
    session = ray.train.get_context()
    rank, world_size, device = session.get_world_rank(), session.get_world_size(), ray.train.torch.get_device()
    sharded = world_size > 1 and plan.section is not None and plan.section.sharded

    def context(report: Report) -> WorkerContext:
        kind = ShardedContext if sharded else WorkerContext
        return kind(rank, world_size, device, lambda row: (ray.train.report(row), report(row)))

    try:
        if rank:
            plan.train(_job(plan, open_storage(plan.work)), context(lambda row: None))
        else:
            train_tracked(plan, context)
    except TrainingStopped:  # raised on every worker and on record; Ray must not try the same again
        return


def train_tracked(plan: RunPlan, make_context: Callable[[Report], Context]) -> dict[str, Any]:
    """Train as worker 0, with the tracking record; returns the last state."""
    storage = open_storage(plan.work)
    job = _job(plan, storage)
    with _tracked(plan) as tracked:
        reporter = Reporter(storage, plan.name, tracked)
        films = _films(plan, job, tracked)
        try:
            state = plan.train(job, make_context(reporter))
        finally:
            reporter.close()
            if films is not None:
                films.close()
        if plan.section is not None:
            record_end(tracked, state["history"], verdict(state["history"], plan.section.min_learned))
        return state


def fit(plan: RunPlan, gpu: bool, threads: int) -> None:
    """Run the plan on the Ray that is started.

    Raises TrainingStopped where the loss was not finite, Ray's TrainingFailedError where workers fail again and again.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    records = plan.work if plan.work.startswith("s3://") else str(Path(plan.work).resolve())
    workers = plan.workers if plan.min_workers >= plan.workers else (plan.min_workers, plan.workers)
    trainer = TorchTrainer(
        run_worker, train_loop_config={"plan": plan, "project": os.getcwd(), "threads": threads},
        torch_config=TorchConfig(backend="nccl" if gpu else "gloo"),
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpu),
        run_config=RunConfig(name=plan.name, storage_path=records,
                             failure_config=FailureConfig(max_failures=MAX_FAILURES)))
    storage = open_storage(plan.work)
    clear_stops(storage, plan.name)
    trainer.fit()
    message = stop_message(storage, plan.name)
    if message is not None:
        raise TrainingStopped(message)


def local_threads(section: Ray, workers: int) -> int:
    """Torch threads of a worker: the machine's cores, shared out."""
    return max(1, (section.num_cpus or os.cpu_count() or 1) // workers)


class Untracked:
    """Takes what a tracked run takes, and forgets it."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **named: None


def _tracked(plan: RunPlan) -> AbstractContextManager[Any]:
    if not plan.data:
        return nullcontext(Untracked())
    return tracked_run(plan.experiment, plan.params, plan.name, plan.data, plan.fingerprints)


def _job(plan: RunPlan, storage: Storage) -> Any:
    """The job, with states for films where they are asked for: on every worker, which may hold a part of them."""
    job = plan.make_job(plan.params, storage, plan.name)
    if plan.section is not None and plan.write_bundle is not None and job.validation_clips:
        job.state_every = plan.section.video_every
    return job


def _films(plan: RunPlan, job: Any, tracked: Any) -> Films | None:
    if plan.section is None or not job.state_every:
        return None
    films = Films(job.state_every, job.validation_clips[0].clip_id,
                  lambda folder, state: plan.write_bundle(folder, job, state), tracked)
    job.on_state = films.take
    return films
