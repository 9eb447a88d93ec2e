"""Normalisation statistics of the training clips: `python -m stages.statistics`.

Expression: eq. 5 over all frames of stage 1's training clips. Pose: eq. 6 averaged over those clips. The clips'
stored moments are streamed: no frame is read. With `statistics.init` they are those of a bundle: its weights go on
meaning what they were trained to. Writes data/statistics/{statistics.json, statistics.safetensors}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from feature_store.moments import ClipMoments, among, stream_moments
from feature_store.reader import one_fingerprint, read_manifests
from feature_store.statistics import group_of, motion_statistics
from models.motion.motion import RHO_NAMES
from models.motion.normalization import MotionStatistics
from pipeline.components.bundle import load_bundle
from pipeline.core.atomic import atomic_path, write_json
from pipeline.core.config import Params, load_params
from pipeline.core.paths import FEATURES, SPLIT, STATISTICS, initial_bundle
from pipeline.core.split_table import TRAIN, sorted_ids
from pipeline.core.stage import run_as_stage

JSON, TENSORS = "statistics.json", "statistics.safetensors"


def main(say: Callable[[str], None] = print) -> None:
    """Write the statistics of the training clips of stage 1's corpora."""
    from safetensors.numpy import save_file

    statistics, seen = training_statistics(load_params())
    with atomic_path(STATISTICS / TENSORS) as temporary:
        save_file(statistics.tensors(), temporary)
    write_json(STATISTICS / JSON, summary(statistics, seen))
    say(f"statistics: {seen.clips} training clips, {seen.frames} frames, "
        f"{int(statistics.expression.alive.sum())} of {statistics.expression.alive.size} expression dimensions move")


class Seen:
    """What the statistics were taken of: clips and frames, the people, the corpora, the features' fingerprints."""

    def __init__(self, fingerprints: dict[str, str]):
        self.fingerprints = fingerprints
        self.clips, self.frames, self.identities, self.corpora = 0, 0, set[str](), set[str]()

    def count(self, clips: Iterable[ClipMoments]) -> Iterator[ClipMoments]:
        """The same clips, one after the other."""
        for clip in clips:
            self.clips, self.frames = self.clips + 1, self.frames + clip.moments.count
            self.identities.add(clip.identity)
            self.corpora.add(clip.corpus)
            yield clip


def training_statistics(params: Params) -> tuple[MotionStatistics, Seen]:
    """The statistics of stage 1's training clips; raises ValueError where there is no clip."""
    section, manifests = params.statistics, read_manifests(FEATURES / corpus for corpus in params.used_for("audio"))
    seen = Seen(one_fingerprint(manifests))
    clips = seen.count(among(stream_moments(manifests), sorted_ids(SPLIT, TRAIN)))
    grouped = ((group_of(clip, section.pose_group), clip.moments) for clip in clips)
    own = motion_statistics(grouped, section.min_std, section.pose_group)
    bundle = initial_bundle(section.init, "statistics.init")
    return (own if bundle is None else bundle_statistics(bundle, own, section.own_mean)), seen


def bundle_statistics(folder: Path, own: MotionStatistics, own_mean: bool) -> MotionStatistics:
    """The statistics of a bundle, with `own_mean` around the mean expression of `own`: a person's resting face, which
    a few minutes of training would have to move the model to first.

    Raises ValueError where they are of another number of key points.
    """
    found = load_bundle(folder).statistics
    if found.alive.size != own.alive.size:
        raise ValueError(f"statistics.init {folder}: motion has {found.alive.size} dimensions there, here "
                         f"{own.alive.size}")
    return replace(found, expression=replace(found.expression, mean=own.expression.mean)) if own_mean else found


def summary(statistics: MotionStatistics, seen: Seen) -> dict:
    """What `statistics.json` says: counts, and the statistics in words and units."""
    pose = {name: {"mean": float(mean), "std": float(std)} for name, mean, std in
            zip(RHO_NAMES, statistics.pose_mean, statistics.pose_std, strict=True)}
    expression, alive = statistics.expression, statistics.expression.alive
    return {
        "clips": seen.clips, "frames": seen.frames,
        "identities": len(seen.identities), "corpora": sorted(seen.corpora),
        "fingerprints": seen.fingerprints, "pose_group": statistics.pose_group, "pose": pose,
        "expression": {"dimensions": alive.size, "alive": int(alive.sum()), "mean": expression.mean.tolist(),
                       "std": expression.std.tolist(), "mask": alive.tolist(),
                       "median_std": float(np.median(expression.std[alive])) if alive.any() else 0.0}}


if __name__ == "__main__":
    run_as_stage(main)
