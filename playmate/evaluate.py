"""`playmate evaluate`: score anyone's generated videos against their references.

Writes clips.parquet (a row per pair, and one for every file without a counterpart or a face), summary.json (intervals
and protocol), metrics.json, mouth_curves.csv and report.md. Finished pairs are kept under .playmate: killed and run
again it goes on, and repeated it gives the same files byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from evaluation.jobs.clip import FPS, JobSettings
from evaluation.jobs.pair import Pairing, PairSpec, find_pairs, other_video_r
from evaluation.jobs.reading import Reading
from evaluation.jobs.saved import has_result, load_result
from evaluation.jobs.workers import Task, make_tasks, run_missing
from evaluation.metrics.table import BY_NAME, full_label
from evaluation.report.published import TABLE_1_COLUMNS, table_1
from evaluation.report.text import markdown_table
from evaluation.results import files as results
from evaluation.results.compare import protocol_of_pairs
from evaluation.results.files import CurveFiles
from evaluation.results.rows import FAILED, LostClip, MeasuredClip
from evaluation.results.summary import ClipSummary
from pipeline.compute.resources import Actors
from pipeline.core import paths
from pipeline.core.atomic import write_text
from pipeline.core.config import Params, own_or_packaged_params

WORK = paths.WORK / "evaluate_pairs"
MAX_SECONDS = 600.0  # of one pair; all its pictures are held at once
SIDE_PX = 512  # larger pictures are scaled down to this on their longer side
UNPAIRED = "unpaired"
NEEDS_MODEL = ("mouth_sync", "emo_facex", "emo_a")  # metrics that need our features or a label that was asked for


def evaluate_folders(generated: Path, reference: Path, out: Path, say: Callable[[str], None] = print,
                     seconds: float | None = None) -> None:
    """Score all pairs of two folders over their first `seconds` (None: evaluate.max_duration_s).

    Raises FileNotFoundError, ValueError (no pairs, no length), WeightsError.
    """
    params = own_or_packaged_params()
    if seconds is not None:
        if not 0 < seconds <= MAX_SECONDS:
            raise ValueError(f"--seconds {seconds:g}: a length above 0 and up to {MAX_SECONDS:g}")
        section = params.evaluate.model_copy(update={"max_duration_s": seconds})
        params = params.model_copy(update={"evaluate": section})
    pairing = find_pairs(generated, reference)
    for side, name in pairing.unpaired:
        say(f"evaluate: {side} {name} has no counterpart")
    spec = _spec(params)
    tasks = make_tasks(pairing.jobs, spec, WORK.resolve())
    actors = Actors("evaluate", params.evaluate.workers, params.evaluate.gpus_per_actor)
    failures = run_missing(tasks, spec, params, actors, say, "pairs")
    cut = _write(out, tasks, pairing, failures, params, spec)
    if cut:
        say(f"evaluate: of {cut} pairs the first {params.evaluate.max_duration_s:g} s alone are judged; --seconds N "
            "judges more")
    say(f"evaluate: {len(tasks) - len(failures)} of {len(tasks)} pairs measured, {out / 'report.md'}")


def _spec(params: Params) -> PairSpec:
    section, measure, limits = params.evaluate, params.preprocess.measure, params.preprocess.limits
    metrics = tuple(name for name in section.metrics if name not in NEEDS_MODEL)
    reading = Reading(FPS, round(section.max_duration_s * FPS), SIDE_PX, measure.max_side_px, measure.max_source_s,
                      limits.max_decode_s, limits.max_memory_gb)
    return PairSpec(metrics, JobSettings.of(section), reading)


def _write(out: Path, tasks: list[Task], pairing: Pairing, failures: list[results.Failure], params: Params,
           spec: PairSpec) -> int:
    """Write the files of the results; returns the number of pairs that go on after what is judged."""
    section, clips, curves = params.evaluate, ClipSummary(), CurveFiles(out)
    measured = [task for task in tasks if has_result(task.folder)]
    for index, task in enumerate(measured):
        result = load_result(task.folder, MeasuredClip)
        if len(measured) > 1:  # read again rather than kept: memory does not grow with the number of videos
            other = load_result(measured[index - 1].folder, MeasuredClip).curves["reference"]
            chance = other_video_r(result.curves["generated"], other, section.max_lag_frames)
            row = replace(result.row, numbers={**result.row.numbers, "mouth_r_other_video": chance})
            result = replace(result, rows=(row,))
        clips.add(result)
        curves.add(result)
    curves.close()
    lost = [results.Failure(Path(name).stem, side, UNPAIRED, name) for side, name in pairing.unpaired]
    judged = section.model_copy(update={"metrics": list(spec.metrics)})
    summary = results.Summary(
        clips.metrics(section.bootstrap, params.seed),
        protocol_of_pairs(clips.rows, judged) | {
            "clips": [row.clip_id for row in clips.rows], "seed": params.seed, "side_px": SIDE_PX,
            "unpaired": len(lost), "measured_on": "the two videos alone: motion too is what the landmarks show",
            "reference": "the true video's first frame; both videos are cut to the shorter"},
        len(clips.rows), failures + lost)
    results.write_summary(out, summary)
    without = [LostClip(row.clip_id, status, row.code, row.detail, row.stage)
               for status, group in ((FAILED, failures), (UNPAIRED, lost)) for row in group]
    results.write_clips(out, [*clips.rows, *without])
    write_text(out / "report.md", markdown(summary))
    return sum(row.frames >= spec.reading.max_frames for row in clips.rows)


def markdown(summary: results.Summary) -> str:
    """The numbers, the paper's table beside them, the files that gave none, and the protocol."""
    def interval(value) -> str:
        return f"{value.value:.4g}" if value.low is None else f"{value.value:.4g} [{value.low:.4g}, {value.high:.4g}]"

    rows = [[full_label(name), f"`{name}`", BY_NAME[name].better, interval(value), value.n]
            for name, value in sorted(summary.metrics.items(), key=lambda item: list(BY_NAME).index(item[0]))]
    paper = table_1(summary.metrics, "these videos", "these videos")
    dash = [[row.test_set, row.method, row.mark, *("–" if v is None else f"{v:.3f}" for v in row.values)]
            for row in paper]
    parts = ["# Evaluation of generated videos\n", f"{summary.clips} pairs measured, {len(summary.failures)} without "
             "numbers. Means with 95 % intervals over videos. A substitute network has a name of its own.\n",
             markdown_table(["metric", "name", "better", "value", "n"], rows), "## Table 1 of the paper\n",
             "Published rows come from other videos; a cell of ours is filled only by the published network.\n",
             markdown_table(["test set", "method", "", *TABLE_1_COLUMNS], dash)]
    if summary.failures:
        parts += ["## Without numbers\n", markdown_table(["video", "at", "reason"], [
            [row.clip_id, row.stage, f"{row.code}: {row.detail}"] for row in summary.failures])]
    parts += ["## Protocol\n", markdown_table(["what", "value"], [
        [name, f"`{value}`"] for name, value in sorted(results.round_floats(summary.protocol).items())])]
    return "\n".join(parts)
