"""What guidance and training switches change, on a few test clips: `python -m stages.ablate.stage`.

Table 2's guidance grid and the error over long speech of the model in use; with `ablate.variants`, models trained anew
with one switch changed (Figures 7 and 9). Writes data/ablation/{ablation.csv, variants.csv, long.csv, ablation.json}.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evaluation.ablation.clip import AblationSettings, ablate_clip, grid_metrics
from evaluation.ablation.grid import NOTES, Measured, Setting, guidance_grid, table
from evaluation.ablation.long_speech import Passage, error_over_time, make_passage
from evaluation.ablation.variants import UNCHANGED, switch_text, variant_table
from evaluation.jobs.clip import FPS, ClipJob
from evaluation.jobs.parts import Parts, load_parts
from evaluation.jobs.plan import clip_jobs, test_clips
from evaluation.metrics.judges import judge_weights
from evaluation.results import files as results
from feature_store.reader import FeatureStore
from models.generation.talking_head import TalkingHead
from models.motion.face_space import FaceNotFound
from pipeline.components.bundle import bundle_digest, load_bundle
from pipeline.core import paths
from pipeline.core.atomic import write_json
from pipeline.core.config import Params, load_params
from pipeline.core.split_table import read_split
from pipeline.core.stage import run_as_stage

EMOTION = "happy"  # the classifier's most reliable class
IN_USE = "in use"  # the model of stage 2
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Task:
    """One clip over a grid of guidance scales, or one long passage, with one model."""

    model: str
    bundle: Path
    work: ClipJob | Passage
    grid: tuple[Setting, ...]


@dataclass(frozen=True)
class Done:
    """What task number `index` gave: its clip at every setting, rows of its passage, or why there is nothing."""

    index: int
    measured: list[Measured]
    passage: Rows
    failure: dict[str, Any] | None


def main(say: Callable[[str], None] = print) -> None:
    """Run params.ablate. A clip that fails is named in the notes of the table."""
    params = load_params()
    section = params.ablate
    grid = guidance_grid(section.audio_scales, section.emotion_scales, params.sample.audio_scale)
    store = FeatureStore(paths.FEATURES / corpus for corpus in params.corpora)
    clips = test_clips(store, read_split(paths.SPLIT), params, section.max_clips, section.max_duration_s)
    bundles = {IN_USE: paths.EMOTION_BUNDLE, **_variants(params, say)}
    tasks = [Task(model, bundle, work, tuple(grid) if model == IN_USE else (Setting(params.sample.audio_scale, None),))
             for model, bundle in bundles.items()
             for work in (*clip_jobs(clips), *([make_passage(clips, section.long_s)] if section.long_s else []))]
    done, began = [], time.monotonic()
    for count, one in enumerate(_run(tasks, params), start=1):
        done.append(one)
        say(f"ablate: {count} of {len(tasks)} tasks, {time.monotonic() - began:.0f} s")
    _write(tasks, sorted(done, key=lambda one: one.index), grid, bundles, params)


def _variants(params: Params, say: Callable[[str], None]) -> dict[str, Path]:
    if not params.ablate.variants:
        return {}
    from stages.ablate.training import train_variants  # the demo does not train here

    return train_variants(params, [UNCHANGED, *params.ablate.variants], params.evaluate.workers, say)


def _write(tasks: list[Task], done: list[Done], grid: list[Setting], bundles: dict[str, Path], params: Params) -> None:
    """The three tables, and everything behind them in one JSON file."""
    rows = [{"model": tasks[one.index].model, **found.row} for one in done for found in one.measured]
    long = [{"model": tasks[one.index].model, **row} for one in done for row in one.passage]
    in_use = [found for one in done for found in one.measured if tasks[one.index].model == IN_USE]
    clips = [task.work.clip for task in tasks if task.model == IN_USE and isinstance(task.work, ClipJob)]
    failures, variants = [one.failure for one in done if one.failure], [name for name in bundles if name != IN_USE]
    for name, lines, columns in (
            ("ablation", table(in_use, grid), ("w_a", "w_e", "mouth_r")),
            ("variants", variant_table(rows, variants), ("model", "switch", "mouth_r")),
            ("long", long, ("model", "repeat", "expression_error"))):
        results.write_csv(paths.ABLATION / f"{name}.csv", lines, () if lines else columns)
    write_json(paths.ABLATION / "ablation.json", results.rounded({
        "notes": [*NOTES, *(f"Clip {failure['clip_id']} failed: {failure['detail']}." for failure in failures)],
        "rows": rows, "failures": failures, "emotion": EMOTION,
        "variants": {name: switch_text(name) for name in variants},
        "protocol": {"clips": [clip.clip_id for clip in clips], "frames": sum(map(len, clips)), "seed": params.seed,
                     "frame_stride": params.ablate.frame_stride, "variant_steps": params.ablate.variant_steps,
                     "models": {name: bundle_digest(bundle) for name, bundle in bundles.items()},
                     "weights_sha256": judge_weights(_metrics(params))}}))


def _run(tasks: list[Task], params: Params) -> Iterator[Done]:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the children load their libraries
    section = params.evaluate
    settings = AblationSettings(EMOTION, params.ablate.frame_stride, section.frame_stride, section.max_lag_frames,
                                section.emo_a)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(params.evaluate.workers, len(tasks)), context, _start,
                             (_metrics(params),)) as pool:
        for future in as_completed([pool.submit(_one, index, task, settings) for index, task in enumerate(tasks)]):
            yield future.result()


_parts: list[Parts] = []  # of this process


def _metrics(params: Params) -> tuple[str, ...]:
    return grid_metrics(params.evaluate.metrics, params.ablate.frame_stride)


def _start(metrics: tuple[str, ...]) -> None:
    _parts.append(load_parts(paths.FACE_SPACE, paths.EMOTION_BUNDLE, FPS, metrics))


def _one(index: int, task: Task, settings: AblationSettings) -> Done:
    """Rows of one task, or its failure."""
    parts, work = _parts[0], task.work
    if task.model != IN_USE:
        parts = replace(parts, model=TalkingHead(parts.head.space, load_bundle(task.bundle).generator()))
    if isinstance(work, Passage):
        return Done(index, [], error_over_time(work, parts.head.generator), None)
    try:
        return Done(index, ablate_clip(work.clip, work.wrong_speech, task.grid, parts, settings), [], None)
    except (FaceNotFound, ValueError, OSError, RuntimeError) as error:
        return Done(index, [], [], {"clip_id": work.clip.clip_id, "model": task.model, "code": type(error).__name__,
                                "detail": str(error)})


if __name__ == "__main__":
    run_as_stage(main)
