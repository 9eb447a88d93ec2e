"""Trains the variants of the ablation: stage 1 from scratch with one switch changed, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from evaluation.ablation.variants import switch_text, variant_params
from feature_store.reader import open_store
from feature_store.statistics import clip_moments, group_of, motion_statistics
from models.motion.normalization import MotionStatistics
from pipeline.components.bundle import save_bundle
from pipeline.compute.device import which_device
from pipeline.compute.resources import Actors
from pipeline.compute.work import run
from pipeline.core import paths
from pipeline.core.config import Params
from pipeline.core.fingerprint import digest
from pipeline.core.split_table import TRAIN, clips_of, read_split
from pipeline.storage import open_storage
from training.engine.checkpoint import CheckpointStore
from training.engine.context import PlainContext
from training.motion.build import audio_job
from training.motion.fit import RUNS, bundle_config
from training.motion.identity import Stage, fingerprints
from training.motion.learner import train

BUNDLES = paths.WORK / "ablate"


def train_variants(params: Params, names: Sequence[str], actors: Actors, say: Callable[[str], None]) -> dict[str, Path]:
    """Bundle folder of every variant, trained on one thread or GPU each; one that is trained already is found.

    Raises ResourcesMissing where `actors` want GPUs that are not there.
    """
    if not names:
        return {}
    say(f"ablate: {len(names)} models of {params.ablate.variant_steps} steps: {', '.join(names)}")
    ray = params.ray if params.ray.address is not None else None
    folders = dict(run(names, partial(partial, train_variant, params), actors, ray, say=say))
    return {name: folders[name] for name in names}


def train_variant(params: Params, name: str) -> Path:
    """Train one variant, or go on where it was killed; its bundle's folder."""
    changed = variant_params(params, name)
    statistics = _statistics(changed)
    stage = Stage("audio", partial(audio_job, statistics=statistics), BUNDLES)
    prints = fingerprints(stage, changed) | {"switch": switch_text(name)}
    run_id = f"ablate-{name}-{digest(prints)[:16]}"
    folder = BUNDLES / run_id
    storage = open_storage(str(RUNS))
    job = stage.make_job(changed, storage, run_id)
    state = CheckpointStore(storage, run_id).load_latest()
    if state is None or not state["finished"]:
        state = train(job, PlainContext(which_device(params.ablate.gpus_per_actor > 0),
                                        lambda row: _say(name, params, row)))
    save_bundle(folder, bundle_config(stage, changed, job.model.shape, prints), state["model"], statistics)
    return folder


def _statistics(params: Params) -> MotionStatistics:
    """What the statistics stage would write: another grouping of poses needs other ones."""
    section = params.statistics
    store = open_store(params.used_for("audio"))
    clips = store.clips(clips_of(read_split(paths.SPLIT), TRAIN))
    return motion_statistics(((group_of(clip, section.pose_group), clip_moments(store, clip)) for clip in clips),
                             section.min_std, section.pose_group)


def _say(name: str, params: Params, row: dict[str, float]) -> None:
    if row["step"] % 50 == 0:
        print(f"ablate: {name}, step {row['step']:.0f} of {params.ablate.variant_steps}, loss {row['loss']:.4f}",
              flush=True)
