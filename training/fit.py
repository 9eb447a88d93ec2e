"""Run one training stage from params.yaml to its bundle; `stages/train_audio.py` and `train_emotion.py` call it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.emotions import LABEL_SETS
from models.generate import SampleSettings
from models.normalization import MotionStatistics
from pipeline.bundle import BundleConfig, bundle_digest, save_bundle
from pipeline.config import Params, Train
from pipeline.fingerprint import digest, file_sha256
from pipeline.imports import ROOT, import_closure
from pipeline.paths import AUDIO_BUNDLE, FEATURES, SPLIT, STATISTICS, WORK
from pipeline.ray_runtime import ray_session
from pipeline.storage import Storage, open_storage
from training.checkpoint import CheckpointStore
from training.context import PlainContext
from training.history import write_history
from training.initial import initial_bundle
from training.loop import Job, train
from training.ray_train import PROGRESS, Reporter, RunPlan, fit, local_threads, tracked_run

RUNS = WORK / "training"


@dataclass(frozen=True)
class Stage:
    """What differs between the stages."""

    name: str  # audio | emotion
    make_job: Callable[[Params, Storage, str], Job]
    folder: Path

    def section(self, params: Params) -> Train:
        return params.train_audio if self.name == "audio" else params.train_emotion


def run_stage(stage: Stage, params: Params, statistics: MotionStatistics, say: Callable[[str], None]) -> None:
    """Train (or go on, or find it done), then write bundle, curve.csv and metrics.json."""
    prints = fingerprints(stage, params)
    name, storage = f"{stage.name}-{digest(prints)[:16]}", open_storage(RUNS)
    checkpoints = CheckpointStore(storage, name)
    steps = stage.section(params).steps
    state = checkpoints.load_latest()
    if state is None or state["step"] != steps:
        start = train_with_ray if stage.section(params).workers else train_here
        start(stage, params, name, prints, storage, say)
        state = checkpoints.load_latest()
    if state is None or state["step"] != steps:
        raise RuntimeError(f"training {name} ended without its last checkpoint: run the stage again")
    job = stage.make_job(params, storage, name)
    folder = stage.folder / "bundle"
    save_bundle(folder, bundle_config(stage, params, job, prints), state["model"], statistics)
    facts = {"stage": stage.name, "parameters": sum(p.numel() for p in job.model.parameters()),
             "clips": len(job.clips), "validation_clips": len(job.validation_clips), "run": name}
    write_history(stage.folder, state["history"], facts)
    say(f"train_{stage.name}: {_sentence(state['history'])}; bundle in {folder}")


def train_with_ray(stage: Stage, params: Params, name: str, prints: dict[str, str], storage: Storage,
                   say: Callable[[str], None]) -> None:
    """Start Ray, train, and say how it goes."""
    section = stage.section(params)
    with ray_session(params.ray) as ray:
        resources = ray.cluster_resources()
        gpus, cpus = int(resources.get("GPU", 0)), int(resources["CPU"])
        workers = max(n for n in range(1, section.workers + 1) if n <= max(1, gpus or cpus) and section.batch % n == 0)
        say(f"train_{stage.name}: {section.steps} steps of {section.batch} windows on {workers} "
            f"{'GPU' if gpus else 'CPU'} workers, run {name}")
        plan = _plan(stage, params, name, workers, prints)
        with _progress(storage, name, section.steps, say):
            fit(plan, gpus > 0, local_threads(params.ray, workers))


def train_here(stage: Stage, params: Params, name: str, prints: dict[str, str], storage: Storage,
               say: Callable[[str], None]) -> None:
    """Train in this process, without Ray."""
    import torch

    plan = _plan(stage, params, name, 1, prints)
    say(f"train_{stage.name}: {stage.section(params).steps} steps in this process, run {name}")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with _progress(storage, name, stage.section(params).steps, say), tracked_run(plan) as tracked:
        train(stage.make_job(params, storage, name), PlainContext(device, Reporter(plan, storage, tracked)))


def _plan(stage: Stage, params: Params, name: str, workers: int, prints: dict[str, str]) -> RunPlan:
    return RunPlan(stage.make_job, params, name, str(RUNS), workers, f"train_{stage.name}", prints)


def fingerprints(stage: Stage, params: Params) -> dict[str, str]:
    """Digests of all that enters the training: parameters, data, code, and the bundles it starts from."""
    section = stage.section(params)
    chosen = {"seed": params.seed, "model": params.model, "diffusion": params.diffusion, "speech": params.speech,
              "face_space": params.face_space.kind, "emotion": params.emotion, "train": section}
    values = {key: getattr(value, "model_dump", lambda v=value: v)() for key, value in chosen.items()}
    code = import_closure(Path("training/ray_train.py")) | import_closure(Path("training/jobs.py"))
    data = [FEATURES / corpus / "manifest.json" for corpus in section.corpora]
    data += [SPLIT / "split.parquet", STATISTICS / "statistics.safetensors"]
    prints = {"params": digest(values), "data": digest({str(path): file_sha256(path) for path in data}),
              "code": digest({str(path): file_sha256(ROOT / path) for path in sorted(code)})}
    start = initial_bundle(section.init, stage.name)
    if start is not None:
        prints["init"] = bundle_digest(start)
    if stage.name == "emotion":
        prints["stage_one"] = bundle_digest(AUDIO_BUNDLE)
    return prints


def bundle_config(stage: Stage, params: Params, job: Job, prints: dict[str, str]) -> BundleConfig:
    """What the bundle says of itself."""
    return BundleConfig(
        stage=stage.name, profile=params.profile, model=job.model.shape, diffusion=params.diffusion.model_dump(),
        speech=params.speech.model_dump(), face_space=params.face_space.kind,
        sample=SampleSettings(**params.sample.model_dump()), labels=LABEL_SETS[params.emotion.labels],
        fingerprints=prints)


class _progress:
    """Prints the newest row that rank 0 left in the storage, every few seconds, while the block runs."""

    def __init__(self, storage: Storage, name: str, steps: int, say: Callable[[str], None]):
        self.storage, self.key, self.steps, self.say = storage, f"{name}/{PROGRESS}", steps, say
        self.done, self.last, self.began = threading.Event(), 0, time.monotonic()

    def __enter__(self) -> None:
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def __exit__(self, *_: Any) -> None:
        self.done.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.done.wait(5.0):
            row = self._newest()
            if row and row["step"] > self.last:
                self.last = row["step"]
                left = (self.steps - row["step"]) * row["seconds_per_step"]
                self.say(f"  step {row['step']} of {self.steps}, loss {row['loss']:.4f}, "
                         f"{row['samples_per_s']:.0f} windows/s, {left:.0f} s left")

    def _newest(self) -> dict[str, float] | None:
        keys = self.storage.list(self.key.rpartition("/")[0])
        return json.loads(self.storage.get(self.key)) if self.key in keys else None


def _sentence(history: list[dict[str, float]]) -> str:
    first, last = history[0], history[-1]
    text = f"loss {first['loss']:.4f} -> {last['loss']:.4f} in {int(last['step'])} steps"
    if "validation_wrong_speech" in last:
        text += (f"; held-out clips: expression loss {last['validation_expression']:.4f} (another's speech "
                 f"{last['validation_wrong_speech']:.4f}), sampled r {last['validation_r']:.2f} (another's "
                 f"{last['validation_r_wrong_speech']:.2f})")
    return text

