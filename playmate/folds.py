"""Where there is little data every second of it validates once: trainings that each leave some of it out.

Leaving one part of several out in turn is cross-validation (Stone 1974). The parts are people where there are several,
because the model is then for people it has not seen; else clips of the one person. A fold is trained as the model
itself will be, for all of its steps: what is left out of it stops nothing and chooses no step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from feature_store.reader import ClipRow, FeatureStore, open_store
from feature_store.statistics import clip_moments, group_of, motion_statistics
from models.motion.normalization import MotionStatistics
from pipeline.components.bundle import Bundle, load_bundle
from pipeline.compute.device import which_device
from pipeline.core.config import Params
from pipeline.core.fingerprint import digest
from pipeline.core.paths import AUDIO_MODEL, SHIPPED
from pipeline.core.split_table import TRAIN
from pipeline.storage import open_storage
from playmate.tuned_share import SHARES, Choice, choose_share, listen
from stages.statistics import bundle_statistics
from training.engine.context import PlainContext
from training.motion.build import audio_job
from training.motion.fit import RUNS
from training.motion.identity import Stage, fingerprints
from training.motion.learner import train

FOLDS = 4   # most trainings: each costs as much as the one that is kept, and learns from three quarters of the data


@dataclass(frozen=True)
class Fold:
    """Clip ids that one training learns from, and the parts (clip ids of each) that it never sees."""

    learned: tuple[str, ...]
    left_out: tuple[tuple[str, ...], ...]


def parts_of(rows: Sequence[ClipRow]) -> list[tuple[str, ...]]:
    """Clip ids of every part: a person's where there are several people, else each clip alone."""
    parts: dict[str, list[str]] = {}
    several = len({row.identity for row in rows}) > 1
    for row in sorted(rows, key=lambda row: (row.identity, row.clip_id)):
        parts.setdefault(row.identity if several else row.clip_id, []).append(row.clip_id)
    return [tuple(ids) for ids in parts.values()]


def folds_of(parts: Sequence[tuple[str, ...]], most: int = FOLDS) -> list[Fold]:
    """At most `most`; each part is left out of one of them and learned from in all others. None of a single part."""
    count = min(most, len(parts)) if len(parts) > 1 else 0
    return [Fold(tuple(clip_id for index, part in enumerate(parts) if index % count != fold for clip_id in part),
                 tuple(parts[fold::count])) for fold in range(count)]


def choose_by_folds(params: Params, parts: Sequence[tuple[str, ...]], say: Callable[[str], None]) -> Choice:
    """The share of the training that its folds over `parts` (clip ids of each) speak for."""
    store, base = open_store(list(params.corpora)), load_bundle(SHIPPED)
    folds, heard = folds_of(parts), [np.zeros((len(SHARES), 0))]
    for number, fold in enumerate(folds, start=1):
        say(f"training {number} of {len(folds)} that choose, without {sum(map(len, fold.left_out))} clips")
        tuned = train_fold(params, fold, store)
        left_out = [[store.load(clip_id) for clip_id in part] for part in fold.left_out]
        heard.append(listen(base, tuned, left_out, params.evaluate.max_lag_frames))
    return choose_share(np.concatenate(heard, axis=1))


def train_fold(params: Params, fold: Fold, store: FeatureStore) -> Bundle:
    """What the training makes of the fold's clips; killed, it goes on where it was."""
    statistics = _statistics(params, store.clips(fold.learned), store)
    prints = fingerprints(Stage("audio", audio_job, AUDIO_MODEL), params)
    job = audio_job(params, open_storage(str(RUNS)), f"fold-{digest(prints, fold.learned)[:16]}", statistics,
                    dict.fromkeys(fold.learned, TRAIN))
    weights, bundle = train(job, PlainContext(which_device()))["model"], load_bundle(SHIPPED)
    bundle.model.load_state_dict(bundle.model.state_dict() | weights)   # the emotions of the shipped model
    return replace(bundle, statistics=statistics)


def _statistics(params: Params, rows: Sequence[ClipRow], store: FeatureStore) -> MotionStatistics:
    """As the statistics stage makes them, of these clips."""
    section = params.statistics
    own = motion_statistics(((group_of(row, section.pose_group), clip_moments(store, row)) for row in rows),
                            section.min_std, section.pose_group)
    return bundle_statistics(SHIPPED, own, section.own_mean)
