"""`python -m tests.training.workers FOLDER WORLD_SIZE`: the toy run on several processes with gloo, without Ray."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from tests.training.toy import clips, job, model
from training.context import WorkerContext
from training.job import Job
from training.loop import train


def make(folder: Path) -> Job:
    """Batches of 5: two or three workers get unequal shares."""
    made = job(folder, model(), clips(), steps=5)
    made.batches = type(made.batches)(**{**vars(made.batches), "batch": 5})
    return made


def work(rank: int, world_size: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meet", timedelta(seconds=300), world_size, rank)
    train(make(Path(folder)), WorkerContext(rank, world_size, torch.device("cpu")))
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.start_processes(work, (int(sys.argv[2]), sys.argv[1]), int(sys.argv[2]), start_method="fork")
