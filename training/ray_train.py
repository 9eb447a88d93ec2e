"""The training loop under Ray Train: N workers, CPU (gloo) or GPU (NCCL), restarted by Ray when one is lost.

State lives in our own checkpoints below the run's name, which is the digest of everything that enters the training: a
changed parameter is another run, an unchanged one goes on where it stopped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.config import Params, Ray
from pipeline.storage import Storage, open_storage
from training.loop import Job, train

PROGRESS = "progress.json"
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


class RayContext:
    """A Ray Train worker as a training context."""

    def __init__(self, plan: RunPlan, storage: Storage, tracked: Any):
        import ray.train
        import ray.train.torch

        session = ray.train.get_context()
        self.rank, self.world_size = session.get_world_rank(), session.get_world_size()
        self.device = ray.train.torch.get_device()
        self._report, self._plan, self._storage, self._tracked = ray.train.report, plan, storage, tracked

    def wrap(self, model: nn.Module) -> nn.Module:
        if self.world_size == 1:
            return model
        return nn.parallel.DistributedDataParallel(model, broadcast_buffers=False, gradient_as_bucket_view=True)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        if self.world_size > 1:
            torch.distributed.all_reduce(values)
        return values / self.world_size

    def report(self, metrics: dict[str, float]) -> None:
        self._report(metrics)
        if self.rank == 0:
            self._storage.put(f"{self._plan.name}/{PROGRESS}", json.dumps(metrics).encode())
            self._tracked.metrics({k: v for k, v in metrics.items() if k != "step"}, int(metrics["step"]))


def run_worker(config: dict[str, Any]) -> None:
    """What Ray Train runs on every worker."""
    from contextlib import nullcontext

    import ray.train

    plan: RunPlan = config["plan"]
    os.chdir(config["project"])
    torch.set_num_threads(config["threads"])
    storage = open_storage(plan.work)
    first = ray.train.get_context().get_world_rank() == 0
    with _tracking(plan) if first else nullcontext() as tracked:
        train(plan.make_job(plan.params, storage, plan.name), RayContext(plan, storage, tracked))


def fit(plan: RunPlan, gpu: bool, threads: int) -> None:
    """Run the plan on the Ray that is started; raises the worker's own error where it fails for good."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    records = plan.work if plan.work.startswith("s3://") else str(Path(plan.work).resolve())
    trainer = TorchTrainer(
        run_worker, train_loop_config={"plan": plan, "project": os.getcwd(), "threads": threads},
        torch_config=TorchConfig(backend="nccl" if gpu else "gloo"),
        scaling_config=ScalingConfig(num_workers=plan.workers, use_gpu=gpu),
        run_config=RunConfig(name=plan.name, storage_path=records,
                             failure_config=FailureConfig(max_failures=MAX_FAILURES)))
    trainer.fit()


def local_threads(section: Ray, workers: int) -> int:
    """Torch threads of a worker: the machine's cores, shared out."""
    return max(1, (section.num_cpus or os.cpu_count() or 1) // workers)


def _tracking(plan: RunPlan):
    from pipeline import tracking

    return tracking.run(plan.experiment, plan.experiment, plan.params.model_dump(mode="json", by_alias=True), {},
                        key=plan.name)
