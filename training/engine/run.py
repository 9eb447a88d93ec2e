"""Runs a training to its end, in this process or under Ray Train: N workers, restarted by Ray when one is lost.

State lives in our own checkpoints below the run's name, which is the digest of everything that enters the training: a
changed parameter is another run, an unchanged one goes on where it stopped, and a finished one is only read.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import cast

from pipeline.compute.device import gpus_are_counted
from pipeline.compute.ray_session import is_started, ray_session
from pipeline.compute.resources import Request, check_machine, own_device, request_of, wait_for
from pipeline.storage import open_storage
from training.engine.checkpoint import CheckpointStore
from training.engine.context import PlainContext
from training.engine.loop import State
from training.engine.memory import keep_freed_memory
from training.engine.plan import RunPlan
from training.engine.progress import Watch, newest_row
from training.engine.stops import TrainingStopped, clear_stops, load_stops, stop_message
from training.engine.worker import WorkerTask, run_worker, train_tracked

MAX_FAILURES = 3  # of workers; preempted nodes do not count


def run(plan: RunPlan, say: Callable[[str], None]) -> State:
    """Train, or go on, or find it done; the last state.

    Raises TrainingStopped where the loss was not finite, ResourcesMissing where what it asks for is not there, Ray's
    TrainingFailedError where workers fail again and again.
    """
    checkpoints = CheckpointStore(open_storage(plan.work), plan.name)
    state = checkpoints.load_latest()
    if state is None or not state["finished"]:
        start = _with_ray if plan.ask.workers else _here
        start(plan, say)
        state = checkpoints.load_latest()
    if state is None or not state["finished"]:
        raise RuntimeError(f"training {plan.name} ended without its last checkpoint: run the stage again")
    return state


def _here(plan: RunPlan, say: Callable[[str], None]) -> None:
    """Train in this process, without Ray."""
    device = own_device(plan.ask)
    keep_freed_memory()
    say(f"{plan.experiment}: {plan.steps} steps of {plan.batch} {plan.unit} in this process, run {plan.name}")
    with _watch(plan, say):
        train_tracked(plan, lambda report: PlainContext(device, report))
    _say_rate(plan, say)


def _with_ray(plan: RunPlan, say: Callable[[str], None]) -> None:
    """Start Ray, wait for what is asked for, train, and say how it goes."""
    section = plan.params.ray
    if section.address is None and not is_started():
        check_machine(plan.ask)
    with ray_session(section) as ray:
        request = request_of(plan.ask, section, ray)
        wait_for(ray, request, section.max_wait_s, say)
        say(f"{plan.experiment}: {plan.steps} steps of {plan.batch} {plan.unit} on {request.workers} "
            f"{'GPU' if request.gpus_per_worker else 'CPU'} workers, run {plan.name}")
        with _watch(plan, say):
            _fit(ray, plan, request)
    _say_rate(plan, say)


def _fit(ray: ModuleType, plan: RunPlan, request: Request) -> None:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    records = plan.work if plan.work.startswith("s3://") else str(Path(plan.work).resolve())
    gpu, workers = request.gpus_per_worker > 0, request.workers
    if request.min_workers < workers:  # Ray Train goes on with fewer; its annotation does not say so
        workers = cast("int", (request.min_workers, workers))
    trainer = TorchTrainer(
        run_worker, train_loop_config={"task": WorkerTask(plan, os.getcwd(), gpu)},
        torch_config=TorchConfig(backend="nccl" if gpu and not gpus_are_counted() else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=workers, use_gpu=gpu, resources_per_worker=request.bundle),
        run_config=RunConfig(name=plan.name, storage_path=records,
                             failure_config=FailureConfig(max_failures=MAX_FAILURES)))
    storage = open_storage(plan.work)
    clear_stops(storage, plan.name)
    trainer.fit()
    stops = load_stops(storage, plan.name)
    if stops:
        raise TrainingStopped(stop_message(stops, plan.name))


def _watch(plan: RunPlan, say: Callable[[str], None]) -> Watch:
    return Watch(open_storage(plan.work), plan.name, plan.steps, plan.plateau_after, plan.unit, say)


def _say_rate(plan: RunPlan, say: Callable[[str], None]) -> None:
    row = newest_row(open_storage(plan.work), plan.name)
    if "samples_per_s" in row:
        say(f"{plan.experiment}: {row['samples_per_s']:.0f} {plan.unit}/s, {row['data_wait_share']:.1%} of the time "
            "waiting for data")
