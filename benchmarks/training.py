"""Speed of the training loop as ratios; run by hand: `python -m benchmarks.training [WHAT]`.

`loop`: our step (batches, seeds, clipping, EMA, logging, checkpoints) against a bare PyTorch loop (noise, forward,
loss, backward, clipping, AdamW) over windows that lie in memory as tensors; runs alternate, each in a process of its
own. Wall time suffers from what else the machine does, processor time does not: both are printed. `workers`: two
processes on half of the batch each against one on all of it. `arithmetic`: floating-point operations of a step at paper
size, and what the paper's three days on four A100 mean for it. `feed`: windows a second at the paper's shapes out of
clips unpacked to disk (page cache warm) against a copy of the same bytes in the same process, and the share of the time
that a training waits whose step is a sleep as long as the arithmetic of 512 windows takes on an H100.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from statistics import median

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.utils import clip_grad_norm_

from models.diffusion.schedule import alpha_bars
from models.transformer.motion_transformer import ModelShape, MotionTransformer
from pipeline.storage.local import LocalStorage
from training.engine.checkpoint import CheckpointStore
from training.engine.context import PlainContext, WorkerContext
from training.engine.feed import Feed
from training.engine.memory import keep_freed_memory
from training.engine.optimiser import OptimiserSettings
from training.motion.batches import BatchSettings, make_batch
from training.motion.clips import StoredClips, TrainingClip
from training.motion.job import Job
from training.motion.learner import train
from training.motion.losses import Objective, loss_parts
from training.motion.unpacked import unpack

DEMO = ModelShape(dim=96, heads=4, layers=2, conv_kernel=15, conv_norm="layer", mlp_ratio=2, dropout=0.0,
                  audio_align_layers=1, window=50, previous=10, emotion_blocks=2, num_keypoints=70, speech_dim=384,
                  num_emotions=0)
PAPER = replace(DEMO, dim=512, heads=8, layers=8, mlp_ratio=4, window=80, num_keypoints=21, speech_dim=768)
A100_BF16_FLOPS, PAPER_GPUS, PAPER_HOURS = 312e12, 4, 72
WARM = 5
STEP_S = 0.06  # 512 windows of 33 GFLOP on one H100 at 0.3 of its 990 TFLOP/s in bf16


def make_job(folder: Path, steps: int, shape: ModelShape, batch: int, **changes) -> Job:
    """A run over 40 random clips."""
    torch.manual_seed(0)
    random, dims = np.random.default_rng(0), shape.motion_dim
    clips = [TrainingClip(str(i), random.standard_normal((shape.num_keypoints, 3)).astype(np.float32),
                          random.standard_normal((150, dims)).astype(np.float32),
                          random.standard_normal((150, shape.speech_dim)).astype(np.float16)) for i in range(40)]
    settings = {"steps": steps, "lr": 1e-4, "warmup_steps": 10, "final_lr_share": 0.1, "weight_decay": 0.0,
                "grad_clip": 1.0, "ema_decay": 0.99, "precision": "fp32", "accumulate": 1, "compile": False,
                "prefetch": 2, "checkpoint_every": 50, "validate_every": 10**6, "log_every": 10,
                "min_improvement": 0.0, "stop_after": 0, **changes}
    batches = BatchSettings(batch, shape.window, shape.previous, 1000, 50, 0.2, 0.1, 0.0, "independent", 0.1, 0.0, 0.1,
                            0.01, 0)
    objective = Objective(torch.from_numpy(alpha_bars("linear", 1000)), "x0", "sqrt", "part", 0.85, 0.15, 2.0, False)
    return Job(MotionTransformer(shape), clips, [], batches, objective, OptimiserSettings(**settings), 0,
               CheckpointStore(LocalStorage(folder), "run"))


def now() -> np.ndarray:
    """Wall and processor seconds."""
    return np.array([time.perf_counter(), time.process_time()])


def ours(steps: int, shape: ModelShape, batch: int, prefetch: int) -> tuple[np.ndarray, float]:
    """Seconds a step, and the share of the time that waited for data."""
    keep_freed_memory()
    marks, rows = {}, []
    with tempfile.TemporaryDirectory() as folder:
        job = make_job(Path(folder), steps + WARM, shape, batch, prefetch=prefetch)
        job.on_step = lambda step: marks.setdefault(step, now())
        train(job, PlainContext(report=rows.append))
    return (marks[steps + WARM] - marks[WARM]) / steps, rows[-1]["data_wait_share"]


def bare(steps: int, shape: ModelShape, batch: int, kept: bool = False) -> np.ndarray:
    """Seconds a step of the loop that anybody would write, with all its batches in memory before it starts.

    `kept`: with our setting of the memory allocator, which is no part of a bare loop.
    """
    if kept:
        keep_freed_memory()
    job = make_job(Path("/nowhere"), steps, shape, batch)
    batches = [make_batch(job.clips, job.batches, 0, step).to(torch.device("cpu")) for step in range(steps + WARM)]
    parameters = list(job.model.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.0, fused=True)
    for step, stored in enumerate(batches):
        if step == WARM:
            began = now()
        one = replace(stored, noise=torch.randn_like(stored.noise),
                      previous_noise=torch.randn_like(stored.previous_noise))
        prediction, target = job.objective.predict(job.model, one)
        expression, pose = loss_parts(prediction, target, one.mask[:, shape.previous:], job.model.motion_mask,
                                      job.objective.pose_velocity_weight)
        (0.85 * expression + 0.15 * pose).mean().backward()
        clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad()
    return (now() - began) / steps


def apart(function: Callable, *arguments):
    """Its result, from a process of its own: none runs on memory that another has warmed."""
    with mp.get_context("fork").Pool(1) as pool:
        return pool.apply(function, arguments)


def loop(repeats: int, steps: int) -> None:
    rows = []
    for repeat in range(repeats):
        plain, kept = apart(bare, steps, DEMO, 32), apart(bare, steps, DEMO, 32, True)
        (ahead, wait), (inline, _) = apart(ours, steps, DEMO, 32, 2), apart(ours, steps, DEMO, 32, 0)
        rows.append([*(plain / ahead), *(kept / ahead), *(plain / inline), wait])
        shown = [f"{name} {wall * 1e3:.0f} and {used * 1e3:.0f}" for name, (wall, used) in (
            ("bare", plain), ("bare, memory kept", kept), ("ours", ahead), ("ours without prefetch", inline))]
        print(f"  {repeat}: ms a step, wall and processor: {', '.join(shown)}", flush=True)
    names = (f"{name}, {kind}" for name in ("prefetch 2", "prefetch 2, against a bare loop that keeps memory",
                                            "prefetch 0") for kind in ("wall", "processor"))
    for name, values in zip(names, zip(*rows, strict=True), strict=False):
        print(f"our step against a bare loop, {name}: median {median(values):.3f}, {min(values):.3f} to "
              f"{max(values):.3f} of its speed")
    print(f"data wait, prefetch 2: median {median(row[-1] for row in rows):.2%} of the time")


def _worker(rank: int, world_size: int, folder: str, steps: int, results) -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
    dist.init_process_group("gloo", f"file://{folder}/meet", timedelta(seconds=600), world_size, rank)
    job, marks = make_job(Path(folder), steps + WARM, DEMO, 32), {}
    job.on_step = lambda step: marks.setdefault(step, now())
    train(job, WorkerContext(rank, world_size, torch.device("cpu")))
    results.put((marks[steps + WARM] - marks[WARM]) / steps)
    dist.destroy_process_group()


def workers(repeats: int, steps: int) -> None:
    found = {1: [], 2: []}
    for _ in range(repeats):
        for count, rows in found.items():
            with tempfile.TemporaryDirectory() as folder:
                results = mp.get_context("fork").SimpleQueue()
                mp.start_processes(_worker, (count, folder, steps, results), count, start_method="fork")
                times = [results.get() for _ in range(count)]
            rows.append((max(wall for wall, _ in times), sum(used for _, used in times)))
    wall = median(one[0] / two[0] for one, two in zip(found[1], found[2], strict=True))
    used = median(one[1] / two[1] for one, two in zip(found[1], found[2], strict=True))
    print(f"2 workers against 1, same batch of 32: {wall:.2f} times the speed (efficiency {wall / 2:.2f}); processor "
          f"time of one against both together {used:.2f}")


def arithmetic(batch: int = 4) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    job = make_job(Path("/nowhere"), 1, PAPER, batch)
    one = make_batch(job.clips, job.batches, 0, 0).to(torch.device("cpu"))
    with FlopCounterMode(display=False) as counter:
        prediction, target = job.objective.predict(job.model, one)
        (prediction - target).square().mean().backward()
    sample = counter.get_total_flops() / batch
    parameters = sum(p.numel() for p in job.model.parameters())
    hours = PAPER_GPUS * PAPER_HOURS
    peak = hours * 3600 * A100_BF16_FLOPS
    print(f"paper size (our reading: {PAPER.layers} layers of {PAPER.dim}, window {PAPER.window}): "
          f"{parameters / 1e6:.1f} M parameters, {sample / 1e9:.1f} GFLOP a sample, forward and backward; weights, "
          f"gradients, moments and average {parameters * 20 / 1e9:.2f} GB")
    print(f"paper: {PAPER_GPUS} A100 x {PAPER_HOURS} h = {hours} A100 hours = {peak:.2e} FLOP at peak")
    for use in (0.1, 0.3, 0.5):
        samples = peak * use / sample
        print(f"  at {use:.0%} of the peak: {samples:.2e} samples, {samples / 80_000:,.0f} epochs of 80,000; on a "
              f"GPU that trains n samples a second: {samples / 3600:.2e} / n hours")


def feed(repeats: int, batch: int = 512, count: int = 1000, frames: int = 250) -> None:
    """The store is 0.45 GB; nothing of it is kept by the process, only by the system's page cache."""
    keep_freed_memory()
    shape = replace(PAPER, window=100)
    with tempfile.TemporaryDirectory() as folder:
        clips = unpack(random_store(shape, count, frames), Path(folder))
        job = make_job(Path(folder), 1, shape, batch)
        for step in range(2):
            one = make_batch(clips, job.batches, 0, step)
        tensors = [value for value in vars(one).values() if isinstance(value, torch.Tensor)]
        targets = [value.clone() for value in tensors]
        mine, copied, fresh = [], [], []
        for step in range(repeats):
            mine.append(-time.process_time())
            make_batch(clips, job.batches, 0, step)
            mine[-1] += time.process_time()
            copied.append(-time.process_time())
            for target, value in zip(targets, tensors, strict=True):
                target.copy_(value)
            copied[-1] += time.process_time()
            fresh.append(-time.process_time())
            for value in tensors:
                value.clone()
            fresh[-1] += time.process_time()
        size = sum(value.nbytes for value in tensors) / batch
        print(f"one core, {batch} windows of {size / 1e3:.0f} KB: {batch / median(mine):,.0f} windows a second, a copy "
              f"of the same bytes {batch / median(copied):,.0f} (into fresh memory {batch / median(fresh):,.0f}): "
              f"ratio {median(copied) / median(mine):.2f} ({median(fresh) / median(mine):.2f})")
        for threads in (1, 2):
            feeding = Feed(lambda step: make_batch(clips, job.batches, 0, step), range(10**6), torch.device("cpu"),
                           2 * threads, threads)
            for _ in range(2 * threads):
                feeding.next()
            began, waited_s = time.perf_counter(), feeding.waited_s
            for _ in range(repeats):
                feeding.next()
                time.sleep(STEP_S)
            took_s = time.perf_counter() - began
            print(f"loading threads: {threads}, a step of {STEP_S * 1e3:.0f} ms for {batch} windows: data wait "
                  f"{(feeding.waited_s - waited_s) / took_s:.1%}")
            feeding.close()


def random_store(shape: ModelShape, count: int, frames: int) -> StoredClips:
    """`count` clips of random numbers, each made when it is asked for."""
    def load(name: str) -> TrainingClip:
        random = np.random.default_rng(int(name))
        return TrainingClip(name, random.standard_normal((shape.num_keypoints, 3), np.float32),
                            random.standard_normal((frames, shape.motion_dim), np.float32),
                            random.standard_normal((frames, shape.speech_dim), np.float32).astype(np.float16))

    return StoredClips([str(i) for i in range(count)], [frames] * count, [-1] * count, "random", load, 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=["loop", "workers", "arithmetic"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(f"{' '.join(sys.argv)}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}")
    for name in given.what:
        {"loop": lambda: loop(given.repeats, given.steps), "workers": lambda: workers(given.repeats, given.steps),
         "arithmetic": arithmetic, "feed": lambda: feed(given.repeats)}[name]()
