"""Normalisation statistics of the training clips: `python -m stages.statistics`.

Expression: eq. 5 over all frames of stage 1's training clips. Pose: eq. 6 averaged over those clips. Computed from
the clips' stored moments: no frame is read. Writes data/statistics/{statistics.json, statistics.safetensors}.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from feature_store.reader import ClipRow, FeatureStore
from feature_store.split import TRAIN, clips_of, read_split
from feature_store.statistics import clip_moments, motion_statistics, pose_groups
from models.motion import RHO_NAMES
from models.normalization import MotionStatistics
from pipeline.atomic import atomic_path, write_json
from pipeline.config import load_params
from pipeline.paths import FEATURES, SPLIT, STATISTICS
from pipeline.stage import run_as_stage

JSON, TENSORS = "statistics.json", "statistics.safetensors"


def main(say: Callable[[str], None] = print) -> None:
    """Write the statistics of the training clips of `params.train_audio.corpora`."""
    from safetensors.numpy import save_file

    params = load_params()
    store = FeatureStore(FEATURES / corpus for corpus in params.train_audio.corpora)
    clips = store.clips(clips_of(read_split(SPLIT), TRAIN))
    section = params.statistics
    moments = [clip_moments(store, clip) for clip in clips]
    statistics = motion_statistics(moments, pose_groups(clips, section.pose_group), section.min_std,
                                   section.pose_group)
    with atomic_path(STATISTICS / TENSORS) as temporary:
        save_file(statistics.tensors(), temporary)
    write_json(STATISTICS / JSON, summary(statistics, clips, store.fingerprints))
    say(f"statistics: {len(clips)} training clips, {sum(clip.frames for clip in clips)} frames, "
        f"{int(statistics.expression.alive.sum())} of {statistics.expression.alive.size} expression dimensions move")


def summary(statistics: MotionStatistics, clips: list[ClipRow], fingerprints: dict[str, str]) -> dict:
    """What `statistics.json` says: counts, and the statistics in words and units."""
    pose = {name: {"mean": float(mean), "std": float(std)} for name, mean, std in
            zip(RHO_NAMES, statistics.pose_mean, statistics.pose_std, strict=True)}
    expression, alive = statistics.expression, statistics.expression.alive
    return {
        "clips": len(clips), "frames": sum(clip.frames for clip in clips),
        "identities": len({clip.identity for clip in clips}), "corpora": sorted({clip.corpus for clip in clips}),
        "fingerprints": fingerprints, "pose_group": statistics.pose_group, "pose": pose,
        "expression": {"dimensions": alive.size, "alive": int(alive.sum()), "mean": expression.mean.tolist(),
                       "std": expression.std.tolist(), "mask": alive.tolist(),
                       "median_std": float(np.median(expression.std[alive])) if alive.any() else 0.0}}


if __name__ == "__main__":
    run_as_stage(main)
