"""Run one training stage from params.yaml to its bundle; `stages/train_audio.py` and `train_emotion.py` call it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from models.generation.request import SampleSettings
from models.motion.emotions import LABEL_SETS
from models.motion.normalization import MotionStatistics
from models.transformer.shape import ModelShape
from pipeline.components.bundle import BundleConfig, load_bundle, save_bundle
from pipeline.compute.resources import Ask
from pipeline.core.config import Params
from pipeline.core.paths import FEATURES, WORK, initial_bundle
from pipeline.storage import open_storage
from training.engine.checkpoint import CheckpointStore
from training.engine.going_on import go_on
from training.engine.history import write_history
from training.engine.loop import State
from training.engine.plan import RunPlan
from training.engine.progress import sentence
from training.engine.record import Tracked, record_end
from training.engine.run import run
from training.engine.verdict import Row, verdict
from training.motion.films import Films
from training.motion.identity import Stage, fingerprints, run_name, start_values
from training.motion.job import Job
from training.motion.learner import train

RUNS = WORK / "training"
MASK = "motion_mask"   # of the dimensions that move: in a network's state, but of its statistics


def run_stage(stage: Stage, params: Params, statistics: MotionStatistics, say: Callable[[str], None]) -> None:
    """Train (or go on, or find it done), then write bundle, curve.csv and metrics.json."""
    section, plan = stage.section(params), stage_plan(stage, params)
    values = start_values(stage, params) | {"digests": _without_params(plan.fingerprints)}
    plan = go_on(plan, values, section.resume, say)
    state = run(plan, say)
    storage, folder = open_storage(plan.work), stage.folder / "bundle"
    job = stage.make_job(params, storage, plan.name)
    best = section.trainer.bundle == "best" and job.validation_clips
    chosen = CheckpointStore(storage, plan.name).load_best() if best else state
    start, share = job.model.state_dict(), section.trainer.tuned_share
    init = None if share else initial_bundle(section.init, f"train_{stage.name}.init")
    if init is not None:   # that bundle itself, around the mean that it knows
        base = load_bundle(init)
        start, statistics = start | {MASK: base.model.state_dict()[MASK]}, base.statistics
    weights = between(start, chosen["model"], share)
    save_bundle(folder, bundle_config(stage, params, job.model.shape, plan.fingerprints), weights, statistics)
    found = verdict(state["history"], section.trainer.min_learned)
    facts = {"stage": stage.name, "parameters": sum(p.numel() for p in job.model.parameters()),
             "clips": len(job.clips), "validation_clips": len(job.validation_clips), "run": plan.name,
             "bundle_step": chosen["step"], "learned_nothing": int(not found.learned), "verdict": found.sentence}
    write_history(stage.folder, state["history"], facts)
    say(f"train_{stage.name}: {sentence(state['history'])}; bundle in {folder}")
    say(f"train_{stage.name}: {found.sentence}")


def between(start: dict[str, Tensor], end: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights that share of the way from one state of a network to another one (Wortsman et al. 2022, WiSE-FT)."""
    if share == 0:
        return start
    return {name: torch.lerp(start[name].to(value), value, share) if value.is_floating_point() else value
            for name, value in end.items()}


def _without_params(prints: dict[str, str]) -> dict[str, str]:
    """Digests of what stands in no file of parameters."""
    return {name: value for name, value in prints.items() if name != "params"}


def stage_plan(stage: Stage, params: Params) -> RunPlan:
    """The run that params.yaml means."""
    prints, section = fingerprints(stage, params), stage.section(params)
    name, trainer = f"train_{stage.name}", section.trainer
    return RunPlan(
        name, run_name(stage, prints), trainer.checkpoints or str(RUNS), params, prints,
        data={corpus: FEATURES / corpus / "manifest.json" for corpus in params.used_for(stage.name)},
        make_job=stage.make_job, train=train,
        ask=Ask(name, trainer.workers, trainer.gpus, trainer.min_workers),
        steps=section.steps, batch=section.batch, unit="windows", sharded=trainer.sharded,
        plateau_after=trainer.plateau_after, watch=partial(films_beside, stage, params, prints),
        judge=partial(record_verdict, trainer.min_learned))


@contextmanager
def films_beside(stage: Stage, params: Params, prints: dict[str, str], job: Job, tracked: Tracked) -> Iterator[None]:
    """Films of a validation clip are made while the block runs, where the job asks for states."""
    statistics = job.statistics
    if not job.state_every or statistics is None:
        yield
        return

    def write_bundle(folder: Path, state: State) -> None:
        save_bundle(folder, bundle_config(stage, params, job.model.shape, prints), state["model"], statistics)

    films = Films(job.state_every, job.validation_clips[0].clip_id, write_bundle, tracked)
    job.on_state = films.take
    try:
        yield
    finally:
        films.close()


def record_verdict(min_learned: float, tracked: Tracked, history: list[Row]) -> None:
    """The verdict and the curves of a finished run, in its record."""
    record_end(tracked, history, verdict(history, min_learned))


def bundle_config(stage: Stage, params: Params, shape: ModelShape, prints: dict[str, str]) -> BundleConfig:
    """What the bundle says of itself."""
    return BundleConfig(
        stage=stage.name, profile=params.stamp, model=shape, diffusion=params.diffusion.model_dump(),
        speech=params.speech.model_dump(), face_space=params.face_space.kind,
        sample=SampleSettings(**params.sample.model_dump()), labels=LABEL_SETS[params.emotion.labels],
        fingerprints=prints)
