"""Generate the test clips and measure them: `python -m stages.evaluate`.

Each test clip is animated from its own first frame by its own speech, and once by another clip's speech; emotions
are put on a few of them. Numbers of mouths, faces and pictures are measured on the rendered videos. Writes
data/evaluation: clips.parquet, emotions.parquet, summary.json (intervals and protocol), metrics.json, mouth curves,
distributions and videos.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation import results, summarise
from evaluation.jobs import FPS, ClipJob, EmotionJob, JobSettings, Result
from evaluation.partial import load_result, remove_others
from evaluation.parts import judge_weights
from evaluation.plan import clip_jobs, emotion_jobs, job_digest, spread, test_clips
from evaluation.training_reference import stored_curves, training_reference
from evaluation.video_grid import write_grid
from feature_store.reader import ClipFeatures, FeatureStore
from feature_store.split import TRAIN, clips_of, read_split
from pipeline import paths
from pipeline.atomic import write_json
from pipeline.bundle import bundle_digest
from pipeline.components import face_space_identity
from pipeline.config import Params, load_params
from pipeline.fingerprint import code_digest, digest
from pipeline.stage import run_as_stage
from stages.evaluate_workers import Done, Task, WorkerSpec, run_tasks

WORK = paths.WORK / "evaluate"
CURVES = ("reference", "generated", "wrong_speech")
CODE = ("evaluation", "models", "pipeline.media")


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
    settings = JobSettings(section.samples, section.frame_stride, section.control_stride, section.max_lag_frames,
                           section.panel_px, section.crf)
    spec = WorkerSpec(params.face_space.kind, paths.FACE_SPACE.resolve(), paths.EMOTION_BUNDLE.resolve(), FPS, sync,
                      settings)
    base = _base_digest(params, spec)
    tasks = [Task(job, WORK.resolve() / job_digest(base, job)) for job in [
        *clip_jobs(clips), *emotion_jobs(clips, params.evaluate)]]
    failures = _run(tasks, spec, params, say)
    for failure in failures:
        say(f"evaluate: {failure.clip_id}, {failure.stage}: {failure.code}, {failure.detail}")
    _write(tasks, failures, training, params, store.fingerprints)
    remove_others(WORK, {task.folder.name for task in tasks})


def _base_digest(params: Params, spec: WorkerSpec) -> str:
    return digest(code_digest(*CODE), asdict(spec.settings), bundle_digest(spec.bundle_folder), judge_weights(),
                  face_space_identity(spec.face_space_folder), spec.sync.weights.tolist())


def _training(store: FeatureStore, split: dict[str, str], params: Params, say: Callable[[str], None]):
    rows = store.clips(clips_of(split, TRAIN))
    picked = spread([row.clip_id for row in rows], params.evaluate.training_clips)
    curves_of = stored_curves if params.face_space.kind == "landmark" else _seen_curves
    say(f"evaluate: {len(picked)} training clips for the mouth_sync regression and the distributions")
    return training_reference((store.load(clip_id) for clip_id in picked), curves_of, params.evaluate.sync_ridge)


def _seen_curves(features: ClipFeatures):
    """Curves of a training clip from its pictures, for a face space whose key points have no names."""
    from evaluation.curves import face_curves
    from models.landmarker import FaceLandmarker
    from pipeline.media import read_crop
    from pipeline.weights import weight_path

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


def _failures(done: Done, job: ClipJob | EmotionJob) -> list[Failure]:
    stage = "clip" if isinstance(job, ClipJob) else f"emotion {job.emotion}"
    return [Failure(job.clip.clip_id, stage, done.code, done.detail)] if done.code else []


def _write(tasks: list[Task], failures: list[Failure], training: dict[str, list[float]], params: Params,
           fingerprints: dict[str, str]) -> None:
    pairs = [(task, result) for task in tasks if (result := load_result(task.folder)) is not None]
    clips = [result for task, result in pairs if isinstance(task.job, ClipJob)]
    emotions = [result for task, result in pairs if isinstance(task.job, EmotionJob)]
    folder, draws, seed = paths.EVALUATION, params.evaluate.bootstrap, params.seed
    emotion_rows = summarise.emotion_rows(emotions)
    metrics = (summarise.clip_metrics(clips, draws, seed) | summarise.training_metrics(training, draws, seed)
               | summarise.emotion_metrics(emotion_rows, draws, seed))
    summary = results.Summary(metrics, _protocol(clips, emotions, params, fingerprints), len(clips),
                              [asdict(failure) for failure in failures], summarise.checks(clips, emotions))
    results.write_summary(folder, summary)
    rows = [{**result.row, "status": results.MEASURED} for result in clips]
    lost = [{"clip_id": f.clip_id, "status": results.FAILED, "code": f.code, "detail": f.detail}
            for f in failures if f.stage == "clip"]
    results.write_rows(folder / results.CLIPS, results.rounded(rows + lost))
    results.write_rows(folder / results.EMOTIONS, results.rounded(emotion_rows))
    _write_curves(folder, clips)
    write_json(folder / results.DISTRIBUTIONS, results.rounded(summarise.distributions(clips, training)))
    _copy_videos(folder / results.VIDEOS, pairs, params)


def _write_curves(folder: Path, clips: list[Result]) -> None:
    rows = [{"clip_id": result.row["clip_id"], "frame": frame, **{
        name: None if np.isnan(result.curves[name][frame]) else float(result.curves[name][frame])
        for name in CURVES}} for result in clips for frame in range(result.row["frames"])]
    columns = ("clip_id", "frame", *CURVES)
    results.write_csv(folder / results.CURVES, rows, columns)
    results.write_csv(folder / results.FIRST_CURVE, rows[:clips[0].row["frames"] if clips else 0], columns)


def _copy_videos(folder: Path, pairs: list[tuple[Task, Result]], params: Params) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for task, _ in pairs:
        if isinstance(task.job, ClipJob):
            for video in sorted(task.folder.glob("*.mp4")):
                shutil.copyfile(video, folder / video.name)
    emotions = [task for task, _ in pairs if isinstance(task.job, EmotionJob)]
    if emotions:
        first = emotions[0].job.clip
        tiles = [next(task.folder.glob("*.mp4")) for task in emotions if task.job.clip.clip_id == first.clip_id]
        sound = Path(first.crop).with_suffix(".wav")
        write_grid(folder / results.EMOTION_VIDEO, tiles, sound, FPS, params.evaluate.crf)


def _protocol(clips: list[Result], emotions: list[Result], params: Params,
              fingerprints: dict[str, str]) -> dict[str, Any]:
    """What must be equal for two evaluations to be comparable; no time, host or path."""
    section = params.evaluate
    return {"clips": [result.row["clip_id"] for result in clips],
            "wrong_speech_of": {result.row["clip_id"]: result.row["wrong_clip_id"] for result in clips},
            "frames": sum(result.row["frames"] for result in clips), "fps": FPS,
            "emotion_videos": len(emotions), "emotions": list(section.emotions), "seed": params.seed,
            "samples": section.samples, "sampling": params.sample.model_dump(), "bootstrap_draws": section.bootstrap,
            "reference": "the clip's own first frame is the portrait; head pose is generated",
            "measured_on": "rendered video: mouth, eyes, pictures, identity, emotion; motion: pose, diversity",
            "frame_stride": section.frame_stride, "wrong_speech_frame_stride": section.control_stride,
            "max_lag_frames": section.max_lag_frames, "weights_sha256": judge_weights(),
            "model": bundle_digest(paths.EMOTION_BUNDLE), "face_space": face_space_identity(paths.FACE_SPACE),
            "features": dict(fingerprints)}


if __name__ == "__main__":
    run_as_stage(main)
