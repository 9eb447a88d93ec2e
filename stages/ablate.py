"""Guidance grid on a few test clips: `python -m stages.ablate`. Writes data/ablation/{ablation.csv, ablation.json}."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from evaluation import results
from evaluation.ablation import NOTES, AblationSettings, Setting, ablate_clip, guidance_grid, table
from evaluation.jobs import FPS, ClipJob
from evaluation.parts import Parts, judge_weights, load_parts
from evaluation.plan import clip_jobs, test_clips
from feature_store.reader import FeatureStore
from feature_store.split import read_split
from models.face_space import FaceNotFound
from pipeline import paths
from pipeline.atomic import write_json
from pipeline.bundle import bundle_digest
from pipeline.config import Params, load_params
from pipeline.stage import run_as_stage

EMOTION = "happy"  # the classifier's most reliable class
Rows = list[dict[str, Any]]


def main(say: Callable[[str], None] = print) -> None:
    """Run the grid of params.ablate. A clip that fails is named in the notes of the table."""
    params = load_params()
    section = params.ablate
    grid = guidance_grid(section.audio_scales, section.emotion_scales, params.sample.audio_scale)
    store = FeatureStore(paths.FEATURES / corpus for corpus in params.corpora)
    clips = test_clips(store, read_split(paths.SPLIT), params, section.max_clips, section.max_duration_s)
    rows, failures = [], []
    began = time.monotonic()
    for count, (found, failure) in enumerate(_run(clip_jobs(clips), grid, params), start=1):
        rows += found
        failures += failure
        say(f"ablate: {count} of {len(clips)} clips, {len(grid)} settings each, {time.monotonic() - began:.0f} s")
    rows.sort(key=lambda row: (row["clip_id"], row["w_a"], row["w_e"] or -1.0))
    lines = table(rows, grid)
    results.write_csv(paths.ABLATION / "ablation.csv", lines, () if lines else ("w_a", "w_e", "mouth_r"))
    write_json(paths.ABLATION / "ablation.json", results.rounded({
        "notes": [*NOTES, *(f"Clip {failure['clip_id']} failed: {failure['detail']}." for failure in failures)],
        "rows": rows, "failures": failures, "emotion": EMOTION,
        "protocol": {"clips": [clip.clip_id for clip in clips], "frames": sum(map(len, clips)), "seed": params.seed,
                     "frame_stride": section.frame_stride, "model": bundle_digest(paths.EMOTION_BUNDLE),
                     "weights_sha256": judge_weights()}}))


def _run(jobs: list[ClipJob], grid: list[Setting], params: Params) -> Iterator[tuple[Rows, Rows]]:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the children load their libraries
    settings = AblationSettings(EMOTION, params.ablate.frame_stride, params.evaluate.max_lag_frames)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(params.evaluate.workers, len(jobs)), context, _start,
                             (params.face_space.kind,)) as pool:
        for future in as_completed([pool.submit(_one, job, grid, settings) for job in jobs]):
            yield future.result()


_parts: list[Parts] = []  # of this process


def _start(kind: str) -> None:
    _parts.append(load_parts(kind, paths.FACE_SPACE, paths.EMOTION_BUNDLE, FPS))


def _one(job: ClipJob, grid: list[Setting], settings: AblationSettings) -> tuple[Rows, Rows]:
    """Rows of one clip, or its failure."""
    try:
        return ablate_clip(job.clip, job.wrong_speech, grid, _parts[0], settings), []
    except (FaceNotFound, ValueError, OSError) as error:
        return [], [{"clip_id": job.clip.clip_id, "code": type(error).__name__, "detail": str(error)}]


if __name__ == "__main__":
    run_as_stage(main)
