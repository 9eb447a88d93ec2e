"""Generate the test clips and measure them: `python -m stages.evaluate`.

Each test clip is animated from its own first frame by its own speech, and once by another clip's speech; emotions
are put on a few of them. Numbers of mouths, faces and pictures are measured on the rendered videos. Writes
data/evaluation: clips.parquet, emotions.parquet, summary.json (intervals and protocol), metrics.json, mouth curves,
distributions and videos.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evaluation.jobs.clip import FPS, ClipJob, JobSettings
from evaluation.jobs.emotion import EmotionJob, TrueEmotionJob
from evaluation.jobs.films import write_grid
from evaluation.jobs.plan import clip_jobs, emotion_jobs, job_digest, pose_jobs, spread, test_clips, true_emotion_jobs
from evaluation.jobs.pose import PoseJob
from evaluation.jobs.saved import load_result, remove_others
from evaluation.jobs.training_clips import stored_curves, training_reference
from evaluation.jobs.workers import Done, Job, Task, WorkerSpec, run_tasks
from evaluation.metrics import emotion
from evaluation.metrics.emotion import emo_a
from evaluation.metrics.judges import judge_weights
from evaluation.results import files as results
from evaluation.results import summary as summarise
from evaluation.results.compare import protocol_of_pairs
from evaluation.results.files import CurveFiles, copy_videos
from feature_store.reader import ClipFeatures, FeatureStore
from pipeline.components.bundle import bundle_digest
from pipeline.components.face_space import face_space_identity
from pipeline.core import paths
from pipeline.core.atomic import write_json
from pipeline.core.config import Params, load_params
from pipeline.core.fingerprint import code_of, digest
from pipeline.core.split_table import TRAIN, clips_of, read_split
from pipeline.core.stage import run_as_stage

WORK = paths.WORK / "evaluate"


@dataclass(frozen=True)
class Failure:
    """A job that gave no result."""

    clip_id: str
    stage: str
    code: str
    detail: str


def main(say: Callable[[str], None] = print) -> None:
    """Evaluate the model of stage 2 as params.yaml says. Where nothing can be measured the files say so."""
    params = load_params()
    section = params.evaluate
    store, split = FeatureStore(paths.FEATURES / corpus for corpus in params.corpora), read_split(paths.SPLIT)
    sync, training = _training(store, split, params, say)
    clips = test_clips(store, split, params, section.max_clips, section.max_duration_s)
    spec = WorkerSpec(paths.FACE_SPACE.resolve(), paths.EMOTION_BUNDLE.resolve(), FPS,
                      tuple(section.metrics), sync, JobSettings.of(section))
    base = _base_digest(params, spec)
    tasks = [Task(job, WORK.resolve() / job_digest(base, job)) for job in [
        *clip_jobs(clips), *emotion_jobs(clips, section), *pose_jobs(clips, section),
        *true_emotion_jobs(store, section, params.seed)]]
    failures = _run(tasks, spec, params, say)
    for failure in failures:
        say(f"evaluate: {failure.clip_id}, {failure.stage}: {failure.code}, {failure.detail}")
    _write(tasks, failures, training, params, store.fingerprints)
    remove_others(WORK, {task.folder.name for task in tasks})


def _base_digest(params: Params, spec: WorkerSpec) -> str:
    return digest(code_of("evaluation.jobs.workers"), asdict(spec.settings), bundle_digest(spec.bundle_folder),
                  judge_weights(spec.metrics), face_space_identity(spec.face_space_folder),
                  spec.sync and spec.sync.weights.tolist())


def _training(store: FeatureStore, split: dict[str, str], params: Params, say: Callable[[str], None]):
    rows = store.clips(clips_of(split, TRAIN))
    picked = spread([row.clip_id for row in rows], params.evaluate.training_clips)
    curves_of = stored_curves if params.face_space.kind == "landmark" else _seen_curves
    say(f"evaluate: {len(picked)} training clips for the mouth_sync regression and the distributions")
    sync, training = training_reference((store.load(clip_id) for clip_id in picked), curves_of,
                                        params.evaluate.sync_ridge)
    return (sync if "mouth_sync" in params.evaluate.metrics else None), training


def _seen_curves(features: ClipFeatures):
    """Curves of a training clip from its pictures, for a face space whose key points have no names."""
    from evaluation.metrics.curves import face_curves
    from models.face.landmarker import FaceLandmarker
    from pipeline.media.crops import read_crop
    from pipeline.weights.table import weight_path

    frames = read_crop(paths.CROPS / features.clip.corpus / f"{features.clip.clip_id}.mp4",
                       range(len(features.motion)))
    return face_curves(FaceLandmarker(weight_path("face_landmarker")).detect_video(frames, FPS).points)


def _run(tasks: list[Task], spec: WorkerSpec, params: Params, say: Callable[[str], None]) -> list[Failure]:
    """Run what is not there yet, with a line for every finished task."""
    todo = [task for task in tasks if load_result(task.folder) is None]
    by_folder, failures, began = {task.folder: task.job for task in tasks}, [], time.monotonic()
    say(f"evaluate: {len(tasks)} videos, {len(tasks) - len(todo)} there already")
    for count, done in enumerate(run_tasks(todo, spec, params.evaluate.workers, params.ray), start=1):
        failures += _failures(done, by_folder[done.folder])
        elapsed = time.monotonic() - began
        say(f"evaluate: {count} of {len(todo)} in {elapsed:.0f} s, {elapsed / count * (len(todo) - count):.0f} s left")
    return failures


def _failures(done: Done, job: Job) -> list[Failure]:
    stage = {ClipJob: "clip", EmotionJob: "emotion", TrueEmotionJob: "true emotion", PoseJob: "pose"}[type(job)]
    stage = f"{stage} {getattr(job, 'emotion', None) or getattr(job, 'pose', '')}".strip()
    return [Failure(job.clip.clip_id, stage, done.code, done.detail)] if done.code else []


def _write(tasks: list[Task], failures: list[Failure], training: dict[str, list[float]], params: Params,
           fingerprints: dict[str, str]) -> None:
    """Read the results one by one and write the stage's files."""
    folder, section, seed = paths.EVALUATION, params.evaluate, params.seed
    clips, emotions, true_emotions, curves = summarise.ClipSummary(), [], [], CurveFiles(folder)
    done = []
    for task in tasks:
        if (result := load_result(task.folder)) is None:
            continue
        done.append(task)
        if isinstance(task.job, ClipJob):
            clips.add(result)
            curves.add(result)
            copy_videos(task.folder, folder / results.VIDEOS)
        elif not isinstance(task.job, PoseJob):
            (emotions if isinstance(task.job, EmotionJob) else true_emotions).append(result.row)
    curves.close()
    rows, true_rows = emotion.emotion_rows(emotions), emotion.true_rows(true_emotions)
    draws = section.bootstrap
    metrics = (clips.metrics(draws, seed) | summarise.training_metrics(training, draws, seed)
               | emotion.emotion_metrics(rows, draws, seed) | emo_a(rows, draws, seed)
               | emotion.shift_metrics(true_rows, draws, seed, "emo_shift_facex_true"))
    results.write_summary(folder, results.Summary(
        metrics, _protocol(clips.rows, rows, true_rows, params, fingerprints), len(clips.rows),
        [asdict(failure) for failure in failures], summarise.checks(clips.rows, emotions)))
    lost = [{"clip_id": f.clip_id, "status": results.FAILED, "code": f.code, "detail": f.detail}
            for f in failures if f.stage == "clip"]
    results.write_rows(folder / results.CLIPS, results.rounded(
        [{**row, "status": results.MEASURED} for row in clips.rows] + lost))
    results.write_rows(folder / results.EMOTIONS, results.rounded(
        [{"video": "generated", **row} for row in rows] + [{"video": "true", **row} for row in true_rows]))
    write_json(folder / results.DISTRIBUTIONS, results.rounded(summarise.distributions(clips.rows, training)))
    for kind, name in ((EmotionJob, results.EMOTION_VIDEO), (PoseJob, results.POSE_VIDEO)):
        _write_grid(folder / results.VIDEOS / name, [task for task in done if isinstance(task.job, kind)], section.crf)


def _write_grid(path: Path, tasks: list[Task], crf: int) -> None:
    """The films of the first clip side by side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if tasks:
        first = tasks[0].job.clip
        tiles = [next(task.folder.glob("*.mp4")) for task in tasks if task.job.clip.clip_id == first.clip_id]
        write_grid(path, tiles, Path(first.crop).with_suffix(".wav"), FPS, crf)


def _protocol(clips: list[dict], emotions: list[dict], true_rows: list[dict], params: Params,
              fingerprints: dict[str, str]) -> dict[str, Any]:
    """What must be equal for two evaluations to be comparable; no time, host or path."""
    section = params.evaluate
    return {"test_sets": dict(Counter(row["corpus"] for row in clips)),  # clips of each corpus
            "clips": [row["clip_id"] for row in clips],
            "identities": len({row["identity"] for row in clips}),
            "wrong_speech_of": {row["clip_id"]: row["wrong_clip_id"] for row in clips},
            **protocol_of_pairs(clips, section),
            "emotion_videos": len(emotions), "true_emotion_clips": [row["clip_id"] for row in true_rows],
            "emotions": list(section.emotions), "seed": params.seed,
            "samples": section.samples, "sampling": params.sample.model_dump(),
            "reference": "the clip's own first frame is the portrait; head pose is generated",
            "measured_on": "rendered video: mouth, eyes, pictures, identity, emotion; motion: pose, diversity",
            "wrong_speech_frame_stride": section.control_stride,
            "model": bundle_digest(paths.EMOTION_BUNDLE), "face_space": face_space_identity(paths.FACE_SPACE),
            "features": dict(fingerprints)}


if __name__ == "__main__":
    run_as_stage(main)
