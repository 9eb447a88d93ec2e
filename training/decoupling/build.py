"""Build the tuning's job from params.yaml, the crops and the split; on every worker the same."""

from __future__ import annotations

from pathlib import Path

import torch

from models.judges.vgg import VggFeatures, load_vgg
from pipeline.components.face_space import make_networks
from pipeline.core.clip_table import KEPT, read_clip_table
from pipeline.core.config import FaceSpace, Params
from pipeline.core.paths import CROPS, SPLIT
from pipeline.core.split_table import TRAIN, VALIDATION, clips_of, read_split
from pipeline.storage import Storage
from pipeline.weights.table import weight_path
from training.decoupling.loop import DecouplingJob
from training.decoupling.pairs import PairClip
from training.engine.checkpoint import CheckpointStore

TOY_WIDTH = 4  # of the untrained features that go with an untrained space


def decoupling_job(params: Params, storage: Storage, name: str) -> DecouplingJob:
    """The job of `face_space.tune`; raises ValueError where there is no clip, WeightsError."""
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
