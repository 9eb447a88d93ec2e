"""Tune the LivePortrait space of params.yaml (`face_space.tune`) on the training crops; for the face_space stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from models.liveportrait.checkpoint import official_files
from pipeline.components.face_space import liveportrait_folder
from pipeline.compute.resources import Ask
from pipeline.core.config import Params
from pipeline.core.fingerprint import code_of, digest, file_sha256
from pipeline.core.model_params import FaceSpace
from pipeline.core.paths import SPLIT, WORK
from pipeline.weights.table import weight_path
from training.decoupling.build import clip_tables, decoupling_job
from training.decoupling.loop import tune_networks
from training.engine.plan import RunPlan
from training.engine.run import run
from training.engine.verdict import Row

RUNS = WORK / "training"


@dataclass(frozen=True)
class TuningRecord:
    """What the face space's bundle says of its tuning; `before` and `after` are rows of the curve."""

    run: str
    steps: int
    features: str
    before: Row
    after: Row


def tune(params: Params, say: Callable[[str], None]) -> tuple[dict[str, Tensor], TuningRecord]:
    """Tuned weights of `Networks` on the CPU, and the record for the bundle.

    Goes on from its last checkpoint; raises WeightsError, TrainingStopped, ValueError where there is no clip.
    """
    plan, section = tuning_plan(params), params.face_space
    state = run(plan, say)
    first, last = state["history"][0], state["history"][-1]
    say(f"face_space: tuned {', '.join(section.tune.train)} in {section.tune.steps} steps; what is lost of the "
        f"expression when the pose is swapped: {first['expression_kept']:.2f} -> {last['expression_kept']:.2f}")
    return state["weights"], TuningRecord(plan.name, section.tune.steps, feature_name(section), first, last)


def tuning_plan(params: Params) -> RunPlan:
    """The run that params.yaml means."""
    prints, section = fingerprints(params), params.face_space.tune
    return RunPlan("face_space", f"face_space-{digest(prints)[:16]}", str(RUNS), params, prints,
                   data=clip_tables(params), make_job=decoupling_job, train=tune_networks,
                   ask=Ask("face_space.tune", section.trainer.workers, section.trainer.gpus, section.trainer.workers),
                   steps=section.steps, batch=section.batch, unit="pairs")


def feature_name(section: FaceSpace) -> str:
    return f"{section.tune.features}{' (untrained)' if section.untrained else ''}"


def fingerprints(params: Params) -> dict[str, str]:
    """Digests of all that enters the tuning: parameters, clips and split, code, the weights it starts from."""
    section = params.face_space
    tables = [*clip_tables(params).values(), SPLIT / "split.parquet"]
    weights = [] if section.untrained else [weight_path(section.tune.features),
                                            *official_files(liveportrait_folder(section)).values()]
    tuned = section.tune.model_dump(exclude={"trainer"})
    values = {"seed": params.seed, "tune": tuned, "checkpoint": section.checkpoint}
    return {"params": digest(values),
            "data": digest({str(path): file_sha256(path) for path in tables}),
            "code": code_of("training.decoupling.build"),
            "weights": digest({path.name: file_sha256(path) for path in weights})}
