"""Generate the test clips and measure them: `python -m stages.evaluate`.

Each test clip is animated from its own first frame by its own speech, and once by another clip's speech; emotions
are put on a few of them. Numbers of mouths, faces and pictures are measured on the rendered videos. Writes
data/evaluation: clips.parquet, emotions.parquet, summary.json (intervals and protocol), metrics.json, mouth curves,
distributions and videos.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from evaluation.jobs.clip import FPS, ClipJob, JobSettings, OfClip
from evaluation.jobs.emotion import EmotionJob, TrueEmotionJob
from evaluation.jobs.mouth import stored_curves, training_reference
from evaluation.jobs.parts import ModelSpec
from evaluation.jobs.plan import (
    clip_jobs,
    dial_jobs,
    emotion_jobs,
    pick_evenly,
    pose_jobs,
    seed_jobs,
    test_clips,
    true_emotion_jobs,
)
from evaluation.jobs.saved import has_result, load_result, remove_others
from evaluation.jobs.shown import DialJob, PoseJob, SeedJob, write_grid
from evaluation.jobs.workers import Failure, Job, Task, make_tasks, run_missing
from evaluation.metrics import emotion
from evaluation.metrics.emotion import EmotionFilm, EmotionRow, emo_a
from evaluation.results import files as results
from evaluation.results import summary as summarise
from evaluation.results.compare import protocol_of_pairs
from evaluation.results.files import CurveFiles, copy_videos
from evaluation.results.rows import FAILED, LostClip, MeasuredClip
from feature_store.reader import ClipFeatures, FeatureStore
from pipeline.components.bundle import bundle_digest
from pipeline.components.face_space import face_space_identity
from pipeline.compute.resources import Actors
from pipeline.core import paths
from pipeline.core.atomic import write_json
from pipeline.core.config import Params, load_params
from pipeline.core.split_table import TRAIN, clips_of, read_split
from pipeline.core.stage import run_as_stage

WORK = paths.WORK / "evaluate"


def main(say: Callable[[str], None] = print) -> None:
    """Evaluate the model of stage 2 as params.yaml says. Where nothing can be measured the files say so."""
    params = load_params()
    section = params.evaluate
    store, split = FeatureStore(paths.FEATURES / corpus for corpus in params.corpora), read_split(paths.SPLIT)
    sync, training = _training(store, split, params, say)
    clips = test_clips(store, split, params, section.max_clips, section.max_duration_s)
    spec = ModelSpec(paths.FACE_SPACE.resolve(), paths.EMOTION_BUNDLE.resolve(), FPS, tuple(section.metrics),
                     JobSettings.of(section), sync)
    jobs: list[Job] = [*clip_jobs(clips), *emotion_jobs(clips, section), *pose_jobs(clips, section),
                       *seed_jobs(clips, section), *dial_jobs(clips, section, params.face_space.kind == "landmark"),
                       *true_emotion_jobs(store, section, params.seed)]
    tasks = make_tasks(jobs, spec, WORK.resolve())
    failures = run_missing(tasks, spec, params, Actors("evaluate", section.workers, section.gpus_per_actor), say)
    _write(tasks, failures, training, params, store.fingerprints)
    remove_others(WORK, {task.folder.name for task in tasks})


def _training(store: FeatureStore, split: dict[str, str], params: Params, say: Callable[[str], None]):
    rows = store.clips(clips_of(split, TRAIN))
    picked = pick_evenly([row.clip_id for row in rows], params.evaluate.training_clips)
    curves_of = stored_curves if params.face_space.kind == "landmark" else _seen_curves
    say(f"evaluate: {len(picked)} training clips for the mouth_sync regression and the distributions")
    sync, training = training_reference((store.load(clip_id) for clip_id in picked), curves_of,
                                        params.evaluate.sync_ridge, round(params.evaluate.max_duration_s * FPS))
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


def _write(tasks: list[Task], failures: list[Failure], training: dict[str, list[float]], params: Params,
           fingerprints: dict[str, str]) -> None:
    """Read the results one by one and write the stage's files."""
    folder, section, seed = paths.EVALUATION, params.evaluate, params.seed
    clips, curves = summarise.ClipSummary(), CurveFiles(folder)
    emotions: list[EmotionFilm] = []
    true_emotions: list[EmotionFilm] = []
    done: list[Task] = []
    for task in (task for task in tasks if has_result(task.folder)):
        done.append(task)
        if isinstance(task.job, ClipJob):
            result = load_result(task.folder, MeasuredClip)
            clips.add(result)
            curves.add(result)
            copy_videos(task.folder, folder / results.VIDEOS)
        elif isinstance(task.job, EmotionJob | TrueEmotionJob):
            film = load_result(task.folder, EmotionFilm).row
            (emotions if isinstance(task.job, EmotionJob) else true_emotions).append(film)
    curves.close()
    rows, true_rows = emotion.emotion_rows(emotions), emotion.true_rows(true_emotions)
    draws = section.bootstrap
    metrics = (clips.metrics(draws, seed) | summarise.training_metrics(training, draws, seed)
               | emotion.emotion_metrics(rows, draws, seed) | emo_a(emotions, draws, seed)
               | emotion.shift_metrics(true_rows, draws, seed, "emo_shift_facex_true"))
    results.write_summary(folder, results.Summary(
        metrics, _protocol(clips.rows, rows, true_rows, params, fingerprints), len(clips.rows),
        failures, summarise.checks(clips.rows, emotions)))
    lost = [LostClip(f.clip_id, FAILED, f.code, f.detail) for f in failures if f.stage == "clip"]
    results.write_clips(folder, [*clips.rows, *lost])
    results.write_emotions(folder, [*rows, *true_rows])
    write_json(folder / results.DISTRIBUTIONS, results.round_floats(summarise.distributions(clips.rows, training)))
    for kind, name in ((EmotionJob, results.EMOTION_VIDEO), (PoseJob, results.POSE_VIDEO),
                       (SeedJob, results.SEED_VIDEO), (DialJob, results.DIAL_VIDEO)):
        made = [(job, task.folder) for task in done if isinstance(job := task.job, kind)]
        _write_grid(folder / results.VIDEOS / name, made, section.crf)


def _write_grid(path: Path, made: Sequence[tuple[OfClip, Path]], crf: int) -> None:
    """The films of the first clip side by side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if made:
        first = made[0][0].clip
        tiles = [next(folder.glob("*.mp4")) for job, folder in made if job.name == first.clip_id]
        write_grid(path, tiles, Path(first.crop).with_suffix(".wav"), FPS, crf)


def _protocol(clips: list[MeasuredClip], emotions: list[EmotionRow], true_rows: list[EmotionRow], params: Params,
              fingerprints: dict[str, str]) -> dict[str, Any]:
    """What must be equal for two evaluations to be comparable; no time, host or path."""
    section = params.evaluate
    return {"test_sets": dict(Counter(row.corpus for row in clips)),  # clips of each corpus
            "clips": [row.clip_id for row in clips],
            "identities": len({row.identity for row in clips}),
            "wrong_speech_of": {row.clip_id: row.wrong_clip_id for row in clips},
            **protocol_of_pairs(clips, section),
            "emotion_videos": len(emotions), "true_emotion_clips": [row.film.clip_id for row in true_rows],
            "emotions": list(section.emotions), "seed": params.seed,
            "samples": section.samples, "sampling": params.sample.model_dump(),
            "reference": "the clip's own first frame is the portrait; head pose is generated",
            "measured_on": "rendered video: mouth, eyes, pictures, identity, emotion; motion: pose, diversity",
            "wrong_speech_frame_stride": section.control_stride,
            "model": bundle_digest(paths.EMOTION_BUNDLE), "face_space": face_space_identity(paths.FACE_SPACE),
            "features": dict(fingerprints)}


if __name__ == "__main__":
    run_as_stage(main)
