"""What guidance and training switches change, on a few test clips: `python -m stages.ablate.stage`.

Table 2's guidance grid and the error over long speech of the model in use; with `ablate.variants`, models trained anew
with one switch changed (Figures 7 and 9). What is measured is kept under .playmate: killed and run again it goes on.
Writes data/ablation/{ablation.csv, variants.csv, long.csv, ablation.json}.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from pathlib import Path

from evaluation.ablation.clip import AblationSettings, GridJob, measurements
from evaluation.ablation.grid import NOTES, Measured, Setting, guidance_grid, table
from evaluation.ablation.long_speech import PassageJob, make_passage
from evaluation.ablation.variants import UNCHANGED, switch_text, variant_table
from evaluation.jobs.clip import FPS, Clip
from evaluation.jobs.parts import ModelSpec
from evaluation.jobs.plan import clip_jobs, test_clips
from evaluation.jobs.saved import has_result, load_result, remove_others
from evaluation.jobs.workers import Failure, Task, make_tasks, run_missing
from evaluation.metrics.judges import grid_metrics, judge_weights
from evaluation.results import files as results
from evaluation.results.records import record_of, repeat_record
from evaluation.results.rows import GridRow, Repeat
from feature_store.reader import FeatureStore
from pipeline.components.bundle import bundle_digest
from pipeline.compute.resources import Actors
from pipeline.core import paths
from pipeline.core.atomic import write_json
from pipeline.core.config import Params, load_params
from pipeline.core.split_table import read_split
from pipeline.core.stage import run_as_stage

IN_USE = "in use"  # the model of stage 2
WORK = paths.WORK / "ablation"


def main(say: Callable[[str], None] = print) -> None:
    """Run params.ablate. A clip that fails is named in the notes of the table."""
    params = load_params()
    section = params.ablate
    grid = guidance_grid(section.audio_scales, section.emotion_scales, params.sample.audio_scale)
    store = FeatureStore(paths.FEATURES / corpus for corpus in params.corpora)
    clips = test_clips(store, read_split(paths.SPLIT), params, section.max_clips, section.max_duration_s)
    bundles = {IN_USE: paths.EMOTION_BUNDLE, **_variants(params, say)}
    spec = ModelSpec(paths.FACE_SPACE.resolve(), paths.EMOTION_BUNDLE.resolve(), FPS, _metrics(params),
                     AblationSettings(section.frame_stride, params.evaluate.frame_stride,
                                      params.evaluate.max_lag_frames, params.evaluate.emo_a))
    tasks = make_tasks(_jobs(clips, grid, bundles, params), spec, WORK.resolve())
    failures = run_missing(tasks, spec, params, _actors(params), say, "tasks")
    _write(tasks, failures, clips, grid, bundles, params)
    remove_others(WORK, {task.folder.name for task in tasks})


def _variants(params: Params, say: Callable[[str], None]) -> dict[str, Path]:
    if not params.ablate.variants:
        return {}
    from stages.ablate.training import train_variants  # the demo does not train here

    return train_variants(params, [UNCHANGED, *params.ablate.variants], _actors(params), say)


def _actors(params: Params) -> Actors:
    return Actors("ablate", params.evaluate.workers, params.ablate.gpus_per_actor)


def _metrics(params: Params) -> tuple[str, ...]:
    return grid_metrics(params.evaluate.metrics, params.ablate.frame_stride)


def _jobs(clips: list[Clip], grid: list[Setting], bundles: dict[str, Path],
          params: Params) -> list[GridJob | PassageJob]:
    """The whole grid with the model in use, the chosen w_a without emotion with every variant; long speech with all."""
    jobs: list[GridJob | PassageJob] = []
    for model, folder in bundles.items():
        settings = tuple(grid) if model == IN_USE else (Setting(params.sample.audio_scale, None),)
        bundle = None if model == IN_USE else folder.resolve()
        jobs += [GridJob(job.clip, job.wrong_speech, job.wrong_clip_id, settings, emotion, model, bundle)
                 for job, emotion in zip(clip_jobs(clips), cycle(params.ablate.emotions), strict=False)]
        if params.ablate.long_s:
            jobs.append(PassageJob(make_passage(clips, params.ablate.long_s), model, bundle))
    return jobs


def _write(tasks: list[Task], failures: list[Failure], clips: list[Clip], grid: list[Setting],
           bundles: dict[str, Path], params: Params) -> None:
    """The three tables, and everything behind them in one JSON file."""
    rows: list[GridRow] = []
    long: list[Repeat] = []
    in_use: list[Measured] = []
    for task in (task for task in tasks if has_result(task.folder)):
        job = task.job
        if isinstance(job, GridJob):
            found = measurements(load_result(task.folder, GridRow))
            rows += [one.row for one in found]
            in_use += found if job.model == IN_USE else []
        elif isinstance(job, PassageJob):
            long += load_result(task.folder, Repeat).rows
    emotions = {task.job.clip.clip_id: task.job.emotion for task in tasks
                if isinstance(task.job, GridJob) and task.job.model == IN_USE}
    variants = [name for name in bundles if name != IN_USE]
    for name, lines, columns in (
            ("ablation", [record_of(line) for line in table(in_use, grid)], ("w_a", "w_e", "mouth_r")),
            ("variants", [record_of(line) for line in variant_table(rows, variants)], ("model", "switch", "mouth_r")),
            ("long", [repeat_record(row) for row in long], ("model", "repeat", "expression_error"))):
        results.write_csv(paths.ABLATION / f"{name}.csv", lines, () if lines else columns)
    write_json(paths.ABLATION / "ablation.json", results.round_floats({
        "notes": [*NOTES, *(f"Clip {failure.clip_id} failed: {failure.detail}." for failure in failures)],
        "rows": [record_of(row) for row in rows], "failures": [vars(failure) for failure in failures],
        "emotions": emotions, "variants": {name: switch_text(name) for name in variants},
        "protocol": {"clips": [clip.clip_id for clip in clips], "frames": sum(map(len, clips)), "seed": params.seed,
                     "frame_stride": params.ablate.frame_stride, "variant_steps": params.ablate.variant_steps,
                     "models": {name: bundle_digest(bundle) for name, bundle in bundles.items()},
                     "weights_sha256": judge_weights(_metrics(params))}}))


if __name__ == "__main__":
    run_as_stage(main)
