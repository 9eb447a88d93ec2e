"""One process of a training run: worker 0 with the tracking record, the others without; here, or started by Ray."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch

from pipeline.compute.device import which_device
from pipeline.storage import open_storage
from training.engine.context import Context, Report, WorkerContext
from training.engine.loop import State
from training.engine.memory import keep_freed_memory
from training.engine.plan import RunPlan
from training.engine.progress import Reporter
from training.engine.record import tracked_run
from training.engine.sharding import ShardedContext
from training.engine.stops import TrainingStopped


def train_tracked(plan: RunPlan, make_context: Callable[[Report], Context]) -> State:
    """Train as worker 0, with the tracking record; returns the last state."""
    storage = open_storage(plan.work)
    job = plan.make_job(plan.params, storage, plan.name)
    with tracked_run(plan.experiment, plan.params, plan.name, plan.data,
                     plan.fingerprints | plan.notes) as tracked:
        reporter = Reporter(storage, plan.name, tracked)
        try:
            with plan.watch(job, tracked):
                state = plan.train(job, make_context(reporter))
        finally:
            reporter.close()
        plan.judge(tracked, state["history"])
        return state


@dataclass(frozen=True)
class WorkerTask:
    """What Ray sends to each worker."""

    plan: RunPlan
    project: str  # the driver's folder
    gpu: bool  # whether Ray gives each worker a GPU


def run_worker(config: dict[str, WorkerTask]) -> None:
    """What Ray Train runs on every worker."""
    import ray.train
    import ray.train.torch

    task = config["task"]
    plan, session = task.plan, ray.train.get_context()
    os.chdir(task.project)
    keep_freed_memory()
    torch.set_num_threads(_threads(plan.params.ray.num_cpus, session.get_local_world_size()))
    rank, world_size = session.get_world_rank(), session.get_world_size()
    device = ray.train.torch.get_device() if which_device(task.gpu) == "cuda" else torch.device("cpu")

    def context(report: Report) -> WorkerContext:
        kind = ShardedContext if plan.sharded and world_size > 1 else WorkerContext

        def report_both(row: dict[str, float]) -> None:
            ray.train.report(row)
            report(row)

        return kind(rank, world_size, device, report_both)

    try:
        if rank:
            storage = open_storage(plan.work)
            plan.train(plan.make_job(plan.params, storage, plan.name), context(lambda row: None))
        else:
            train_tracked(plan, context)
    except TrainingStopped:  # raised on every worker and on record; Ray must not try the same again
        return


def _threads(cores: int | None, workers: int) -> int:
    """Torch threads of a worker: the cores of its machine, shared out."""
    return max(1, (cores or os.cpu_count() or 1) // workers)
