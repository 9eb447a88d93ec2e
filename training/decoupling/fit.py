"""Tune the LivePortrait space of params.yaml (`face_space.tune`) on the training crops; for the face_space stage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.judges.vgg import VggFeatures, load_vgg
from models.liveportrait.checkpoint import official_files
from pipeline.components.face_space import liveportrait_folder, make_networks
from pipeline.compute.ray_session import ray_session
from pipeline.core.clip_table import KEPT, read_clip_table
from pipeline.core.config import FaceSpace, Params
from pipeline.core.fingerprint import code_of, digest, file_sha256
from pipeline.core.paths import CROPS, SPLIT, WORK
from pipeline.core.split_table import TRAIN, VALIDATION, clips_of, read_split
from pipeline.storage import Storage, open_storage
from pipeline.weights.table import weight_path
from training.decoupling.loop import DecouplingJob, tune_networks
from training.decoupling.pairs import PairClip
from training.engine.checkpoint import CheckpointStore
from training.engine.context import PlainContext
from training.engine.progress import Watch
from training.engine.run import RunPlan, fit, local_threads, train_tracked

RUNS = WORK / "training"
TOY_WIDTH = 4  # of the untrained features that go with an untrained space


def tune(params: Params, say: Callable[[str], None]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tuned weights of `Networks` on the CPU, and the record for the bundle.

    Goes on from its last checkpoint; raises WeightsError, TrainingStopped, ValueError where there is no clip.
    """
    prints = fingerprints(params)
    name, storage = f"face_space-{digest(prints)[:16]}", open_storage(RUNS)
    checkpoints, steps = CheckpointStore(storage, name), params.face_space.tune.steps
    state = checkpoints.load_latest()
    if state is None or state["step"] != steps:
        start = _with_ray if params.face_space.tune.workers else _here
        with Watch(storage, name, steps, 0, say):
            start(params, name, prints, say)
        state = checkpoints.load_latest()
    if state is None or state["step"] != steps:
        raise RuntimeError(f"tuning {name} ended without its last checkpoint: run the stage again")
    first, last = state["history"][0], state["history"][-1]
    say(f"face_space: tuned {', '.join(params.face_space.tune.train)} in {steps} steps; what is lost of the expression "
        f"when the pose is swapped: {first['expression_kept']:.2f} -> {last['expression_kept']:.2f}")
    return state["weights"], {"run": name, "steps": steps, "features": feature_name(params.face_space),
                              "before": first, "after": last}


def decoupling_job(params: Params, storage: Storage, name: str) -> DecouplingJob:
    """What every worker builds from the same files."""
    clips = {part: pair_clips(params, part) for part in (TRAIN, VALIDATION)}
    if not clips[TRAIN]:
        raise ValueError("no training clip was kept: look at data/crops/*/clips.parquet for the reasons")
    section = params.face_space
    return DecouplingJob(make_networks(section, params.seed), make_features(section, params.seed), clips[TRAIN],
                         clips[VALIDATION] or clips[TRAIN], section.tune, params.seed, CheckpointStore(storage, name))


def pair_clips(params: Params, part: str) -> list[PairClip]:
    """Kept clips of one part of the split, in order of id."""
    chosen = clips_of(read_split(SPLIT), part)
    found = [PairClip(row["clip_id"], CROPS / corpus / f"{row['clip_id']}.mp4", row["frames"])
             for corpus, table in clip_tables(params).items() for row in read_clip_table(table, KEPT)
             if row["clip_id"] in chosen]
    return sorted(found, key=lambda clip: clip.clip_id)


def clip_tables(params: Params) -> dict[str, Path]:
    """Corpus -> the table of its clips."""
    return {corpus: CROPS / corpus / "clips.parquet" for corpus in params.corpora}


def make_features(section: FaceSpace, seed: int) -> VggFeatures:
    """VGG19 or VGG16 as `tune.features` says, of the weights table; seeded and narrow in an untrained space.

    Raises WeightsError, ValueError.
    """
    if not section.untrained:
        return load_vgg(section.tune.features, weight_path(section.tune.features))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return VggFeatures(section.tune.features, TOY_WIDTH)


def feature_name(section: FaceSpace) -> str:
    return f"{section.tune.features}{' (untrained)' if section.untrained else ''}"


def fingerprints(params: Params) -> dict[str, str]:
    """Digests of all that enters the tuning: parameters, clips and split, code, the weights it starts from."""
    section = params.face_space
    tables = [*clip_tables(params).values(), SPLIT / "split.parquet"]
    weights = [] if section.untrained else [weight_path(section.tune.features),
                                            *official_files(liveportrait_folder(section)).values()]
    values = {"seed": params.seed, "tune": section.tune.model_dump(), "checkpoint": section.checkpoint}
    return {"params": digest(values),
            "data": digest({str(path): file_sha256(path) for path in tables}),
            "code": code_of("training.decoupling.fit"),
            "weights": digest({path.name: file_sha256(path) for path in weights})}


def _with_ray(params: Params, name: str, prints: dict[str, str], say: Callable[[str], None]) -> None:
    section = params.face_space.tune
    with ray_session(params.ray) as ray:
        resources = ray.cluster_resources()
        gpus, cpus = int(resources.get("GPU", 0)), int(resources["CPU"])
        workers = min(section.workers, max(1, gpus or cpus))
        say(f"face_space: {section.steps} steps of {section.batch} pairs on {workers} {'GPU' if gpus else 'CPU'} "
            f"workers, run {name}")
        fit(_plan(params, name, workers, prints), gpus > 0, local_threads(params.ray, workers))


def _here(params: Params, name: str, prints: dict[str, str], say: Callable[[str], None]) -> None:
    say(f"face_space: {params.face_space.tune.steps} steps in this process, run {name}")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train_tracked(_plan(params, name, 1, prints), lambda report: PlainContext(device, report))


def _plan(params: Params, name: str, workers: int, prints: dict[str, str]) -> RunPlan:
    return RunPlan(decoupling_job, params, name, str(RUNS), workers, "face_space", prints, data=clip_tables(params),
                   train=tune_networks)
