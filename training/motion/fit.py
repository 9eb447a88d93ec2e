"""Run one training stage from params.yaml to its bundle; `stages/train_audio.py` and `train_emotion.py` call it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.generation.request import SampleSettings
from models.motion.emotions import LABEL_SETS
from models.motion.normalization import MotionStatistics
from pipeline.components.bundle import BundleConfig, save_bundle
from pipeline.compute.ray_session import ray_session
from pipeline.core.config import Params
from pipeline.core.paths import FEATURES, WORK
from pipeline.storage import open_storage
from training.engine.checkpoint import CheckpointStore
from training.engine.history import write_history
from training.engine.progress import Watch, newest_row, sentence
from training.engine.run import RunPlan, fit, keep_freed_memory, local_threads, train_tracked
from training.engine.verdict import verdict
from training.motion.identity import Stage, fingerprints, run_name
from training.motion.job import Job

RUNS = WORK / "training"


def run_stage(stage: Stage, params: Params, statistics: MotionStatistics, say: Callable[[str], None]) -> None:
    """Train (or go on, or find it done), then write bundle, curve.csv and metrics.json."""
    prints, section = fingerprints(stage, params), stage.section(params)
    name, location = run_name(stage, prints), section.checkpoints or str(RUNS)
    storage = open_storage(location)
    checkpoints = CheckpointStore(storage, name)
    state = checkpoints.load_latest()
    if state is None or not state["finished"]:
        start = train_with_ray if section.workers else train_here
        start(stage, params, location, name, prints, say)
        state = checkpoints.load_latest()
    if state is None or not state["finished"]:
        raise RuntimeError(f"training {name} ended without its last checkpoint: run the stage again")
    job, folder = stage.make_job(params, storage, name), stage.folder / "bundle"
    chosen = checkpoints.load_best() if section.bundle == "best" and job.validation_clips else state
    save_bundle(folder, bundle_config(stage, params, job, prints), chosen["model"], statistics)
    found = verdict(state["history"], section.min_learned)
    facts = {"stage": stage.name, "parameters": sum(p.numel() for p in job.model.parameters()),
             "clips": len(job.clips), "validation_clips": len(job.validation_clips), "run": name,
             "bundle_step": chosen["step"], "learned_nothing": int(not found.learned), "verdict": found.sentence}
    write_history(stage.folder, state["history"], facts)
    say(f"train_{stage.name}: {sentence(state['history'])}; bundle in {folder}")
    say(f"train_{stage.name}: {found.sentence}")


def train_with_ray(stage: Stage, params: Params, location: str, name: str, prints: dict[str, str],
                   say: Callable[[str], None]) -> None:
    """Start Ray, train, and say how it goes."""
    section = stage.section(params)
    with ray_session(params.ray) as ray:
        resources = ray.cluster_resources()
        gpus, cpus = int(resources.get("GPU", 0)), int(resources["CPU"])
        workers = min(section.workers, max(1, gpus or cpus))
        say(f"train_{stage.name}: {section.steps} steps of {section.batch} windows on {workers} "
            f"{'GPU' if gpus else 'CPU'} workers, run {name}")
        plan = _plan(stage, params, location, name, workers, prints)
        with _watch(plan, section, say):
            fit(plan, gpus > 0, local_threads(params.ray, workers))
    _say_rate(plan, say)


def train_here(stage: Stage, params: Params, location: str, name: str, prints: dict[str, str],
               say: Callable[[str], None]) -> None:
    """Train in this process, without Ray."""
    import torch

    from training.engine.context import PlainContext

    keep_freed_memory()
    plan = _plan(stage, params, location, name, 1, prints)
    say(f"train_{stage.name}: {stage.section(params).steps} steps in this process, run {name}")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with _watch(plan, stage.section(params), say):
        train_tracked(plan, lambda report: PlainContext(device, report))
    _say_rate(plan, say)


def _plan(stage: Stage, params: Params, location: str, name: str, workers: int, prints: dict[str, str]) -> RunPlan:
    section = stage.section(params)
    return RunPlan(stage.make_job, params, name, location, workers, f"train_{stage.name}", prints,
                   min_workers=min(section.min_workers, workers), section=section,
                   data={corpus: FEATURES / corpus / "manifest.json" for corpus in params.used_for(stage.name)},
                   write_bundle=_FilmBundle(stage, params, prints))


def _watch(plan: RunPlan, section: Any, say: Callable[[str], None]) -> Watch:
    return Watch(open_storage(plan.work), plan.name, section.steps, section.plateau_after, say)


def _say_rate(plan: RunPlan, say: Callable[[str], None]) -> None:
    row = newest_row(open_storage(plan.work), plan.name)
    if row:
        say(f"{plan.experiment}: {row['samples_per_s']:.0f} windows/s, {row['data_wait_share']:.1%} of the time "
            "waiting for data")


class _FilmBundle:
    """Writes the bundle of a state in the middle of a run, for the films; workers can be sent it."""

    def __init__(self, stage: Stage, params: Params, prints: dict[str, str]):
        self.stage, self.params, self.prints = stage, params, prints

    def __call__(self, folder: Path, job: Job, state: dict[str, Any]) -> None:
        config = bundle_config(self.stage, self.params, job, self.prints)
        save_bundle(folder, config, state["model"], job.statistics)


def bundle_config(stage: Stage, params: Params, job: Job, prints: dict[str, str]) -> BundleConfig:
    """What the bundle says of itself."""
    return BundleConfig(
        stage=stage.name, profile=params.stamp, model=job.model.shape, diffusion=params.diffusion.model_dump(),
        speech=params.speech.model_dump(), face_space=params.face_space.kind,
        sample=SampleSettings(**params.sample.model_dump()), labels=LABEL_SETS[params.emotion.labels],
        fingerprints=prints)
