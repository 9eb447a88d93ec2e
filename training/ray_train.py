"""The training loop under Ray Train: N workers, CPU (gloo) or GPU (NCCL), restarted by Ray when one is lost.

State lives in our own checkpoints below the run's name, which is the digest of everything that enters the training: a
changed parameter is another run, an unchanged one goes on where it stopped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.config import Params, Ray
from pipeline.paths import FEATURES
from pipeline.storage import ObjectMissing, Storage, open_storage
from training.loop import Job, TrainingStopped, train

PROGRESS, STOPPED = "progress.json", "stopped.txt"
MAX_FAILURES = 3


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


class Reporter:
    """Passes logged rows to tracking, and leaves the newest one in the storage for whoever watches the run."""

    def __init__(self, plan: RunPlan, storage: Storage, tracked: Any):
        self.key, self.storage, self.tracked = f"{plan.name}/{PROGRESS}", storage, tracked

    def __call__(self, metrics: dict[str, float]) -> None:
        self.storage.put(self.key, json.dumps(metrics).encode())
        self.tracked.metrics({name: value for name, value in metrics.items() if name != "step"}, int(metrics["step"]))


class RayContext:
    """A Ray Train worker as a training context."""

    def __init__(self, reporter: Reporter | None):
        import ray.train
        import ray.train.torch

        session = ray.train.get_context()
        self.rank, self.world_size = session.get_world_rank(), session.get_world_size()
        self.device = ray.train.torch.get_device()
        self._report, self._reporter = ray.train.report, reporter

    def wrap(self, model: nn.Module) -> nn.Module:
        if self.world_size == 1 or self.device.type == "cpu":
            return model
        return nn.parallel.DistributedDataParallel(model, broadcast_buffers=False, gradient_as_bucket_view=True)

    def sync_gradients(self, parameters: list[nn.Parameter]) -> None:
        """Average gradients over CPU workers in one message.

        On GPUs DistributedDataParallel does it while the backward pass runs; cores have nothing to overlap, and it
        would load PyTorch's compiler: 4 s of CPU time in every worker.
        """
        if self.world_size == 1 or self.device.type != "cpu":
            return
        flat = torch.cat([p.grad.flatten() for p in parameters])
        torch.distributed.all_reduce(flat)
        flat /= self.world_size
        for parameter, mean in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            parameter.grad.copy_(mean.view_as(parameter))

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        if self.world_size > 1:
            torch.distributed.all_reduce(values)
        return values / self.world_size

    def report(self, metrics: dict[str, float]) -> None:
        self._report(metrics)
        if self._reporter is not None:
            self._reporter(metrics)


def run_worker(config: dict[str, Any]) -> None:
    """What Ray Train runs on every worker."""
    import ray.train

    plan: RunPlan = config["plan"]
    os.chdir(config["project"])
    torch.set_num_threads(config["threads"])
    storage = open_storage(plan.work)
    job = plan.make_job(plan.params, storage, plan.name)
    try:
        if ray.train.get_context().get_world_rank() > 0:
            train(job, RayContext(None))
            return
        with tracked_run(plan) as tracked:
            train(job, RayContext(Reporter(plan, storage, tracked)))
    except TrainingStopped as error:  # raised on every worker at once; Ray must not try the same again
        storage.put(f"{plan.name}/{STOPPED}", str(error).encode())


def fit(plan: RunPlan, gpu: bool, threads: int) -> None:
    """Run the plan on the Ray that is started.

    Raises TrainingStopped where the loss was not finite, Ray's TrainingFailedError where workers fail again and again.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    records = plan.work if plan.work.startswith("s3://") else str(Path(plan.work).resolve())
    trainer = TorchTrainer(
        run_worker, train_loop_config={"plan": plan, "project": os.getcwd(), "threads": threads},
        torch_config=TorchConfig(backend="nccl" if gpu else "gloo"),
        scaling_config=ScalingConfig(num_workers=plan.workers, use_gpu=gpu),
        run_config=RunConfig(name=plan.name, storage_path=records,
                             failure_config=FailureConfig(max_failures=MAX_FAILURES)))
    storage = open_storage(plan.work)
    storage.delete(f"{plan.name}/{STOPPED}")
    trainer.fit()
    with suppress(ObjectMissing):
        raise TrainingStopped(storage.get(f"{plan.name}/{STOPPED}").decode())


def local_threads(section: Ray, workers: int) -> int:
    """Torch threads of a worker: the machine's cores, shared out."""
    return max(1, (section.num_cpus or os.cpu_count() or 1) // workers)


@contextmanager
def tracked_run(plan: RunPlan) -> Iterator[Any]:
    """The tracking record of the run; a resumed run goes on in it."""
    from pipeline import tracking

    values = plan.params.model_dump(mode="json", by_alias=True)
    tags = {"run": plan.name, "profile": plan.params.profile, **plan.fingerprints}
    with tracking.run(plan.experiment, plan.experiment, values, tags, key=plan.name) as tracked:
        tracked.dataset("features", plan.fingerprints["data"], str(FEATURES))
        yield tracked
