"""`python -m tests.training.workers FOLDER WORLD_SIZE KIND`: toy runs on several processes with gloo, without Ray.

KIND whole: stage 1; sharded: both stages, with their weights shared out.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from tests.training.toy import clips, job, model
from training.engine.context import WorkerContext
from training.engine.sharding import ShardedContext
from training.motion.build import with_emotion
from training.motion.job import Job
from training.motion.learner import train

STAGES = {"whole": ["audio"], "sharded": ["audio", "emotion"]}


def make(folder: Path, stage: str = "audio") -> Job:
    """Batches of 5, in two parts: two or three workers get unequal shares."""
    emotion = stage == "emotion"
    trained = with_emotion(model(), 8) if emotion else model()
    made = job(folder / stage, trained, clips(emotion=emotion), steps=5, accumulate=2)
    made.batches = type(made.batches)(**{**vars(made.batches), "batch": 5})
    return made


def work(rank: int, world_size: int, folder: str, kind: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meet", timedelta(seconds=120), world_size, rank)
    context = (ShardedContext if kind == "sharded" else WorkerContext)(rank, world_size, torch.device("cpu"))
    for stage in STAGES[kind]:
        made = make(Path(folder), stage)
        made.on_step = lambda step: os.write(1, f"step {step}\n".encode())  # print would mix the workers' lines
        train(made, context)
    dist.destroy_process_group()


if __name__ == "__main__":
    folder, world_size, kind = sys.argv[1:]
    if kind == "sharded":
        import torch.distributed.fsdp  # once, before the processes part: it takes seconds
    mp.start_processes(work, (int(world_size), folder, kind), int(world_size), start_method="fork")
