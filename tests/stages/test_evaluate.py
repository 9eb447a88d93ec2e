"""The evaluate stage around a face whose answers are known: files, resuming, failures; no process pool, no weights."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest

from evaluation.jobs import parts as evaluation_parts
from evaluation.jobs import workers
from evaluation.jobs.clip import FPS, RATE_HZ
from evaluation.jobs.workers import Worker
from evaluation.report.data import collect
from evaluation.report.page import render_html
from models.motion.face_space import FaceNotFound
from pipeline.compute.resources import Actors
from pipeline.core.config import load_params
from pipeline.media.crops import write_wav
from pipeline.media.film import write_video
from stages import evaluate
from tests.evaluation.fakes import fake_parts, motion_of, picture, rest_keypoints

FRAMES = 75
COLUMNS = {  # of the tables that users have
    "clips": "beat_alignment beat_alignment_chance beat_alignment_reference blinks_per_min blinks_per_min_reference "
             "clip_id corpus csim_mobilefacenet csim_mobilefacenet_reference csim_mobilefacenet_same_time diversity "
             "diversity_reference face_found_share frames frames_without_face frames_without_face_reference identity "
             "lip_vertex_error lip_vertex_error_wrong_speech lpips_alexnet mouth_lag_frames mouth_r mouth_r_lag0 "
             "mouth_r_wrong_speech mouth_r_wrong_speech_lag0 pitch_range_deg pitch_range_deg_reference seed "
             "wrong_clip_id yaw_jitter_deg yaw_jitter_deg_reference yaw_range_deg yaw_range_deg_reference status",
    "emotions": "video brow_height clip_id corner_height corpus emotion eye_opening frames identity logp_happy "
                "logp_neutral logp_sad mouth_opening p_happy p_neutral p_sad pose_sha256 seen probability "
                "probability_neutral brow_shift corner_shift eye_shift seen_shift shift"}


def mouth(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=FRAMES + 4)
    return np.clip(0.4 + 0.4 * np.convolve(noise, np.ones(5) / 5, mode="valid"), 0.05, 0.95)


class FakeStore:
    """Clips a, b are of the test split, c to f of the training split."""

    def __init__(self, folders):
        self.fingerprints = {str(folder): "f" for folder in folders}

    def clips(self, keep=None):
        return [SimpleNamespace(clip_id=c, corpus="hdtf", identity=f"hdtf/{c}", emotion=None) for c in "abcdef"
                if keep is None or c in keep]

    def load(self, clip_id):
        seed = ord(clip_id)
        clip = SimpleNamespace(clip_id=clip_id, corpus="hdtf", identity=f"hdtf/{clip_id}")
        speech = np.stack([mouth(seed), np.random.default_rng(seed).normal(size=FRAMES)], 1).astype(np.float16)
        yaw = np.cumsum(np.random.default_rng(seed).normal(size=FRAMES))
        return SimpleNamespace(clip=clip, x_c=rest_keypoints(), motion=motion_of(mouth(seed), yaw), speech=speech)


@pytest.fixture
def stage(tmp_path, project, monkeypatch):
    """The stage in an empty project folder; `stage.done` lists the tasks that were computed."""
    values = load_params(project / "params.yaml")
    section = values.evaluate.model_copy(update={"emotions": ["happy"], "emotion_clips": 1, "bootstrap": 50,
                                                 "panel_px": 64, "gpus_per_actor": 0.5})
    monkeypatch.chdir(tmp_path)
    done, parts = [], [fake_parts()]

    def run_here(tasks, make, actors, ray, say):
        assert (actors, make.args[1]) == (Actors("evaluate", 2, 0.5), True)  # a GPU's share from params.yaml
        for task in tasks:
            done.append(task)
            yield task, Worker(make.args[0], parts=parts[0])(task)

    split = dict.fromkeys("ab", "test") | dict.fromkeys("cdef", "train")
    for name, value in {"load_params": lambda: values.model_copy(update={"evaluate": section}),
                        "FeatureStore": FakeStore, "read_split": lambda folder: split}.items():
        monkeypatch.setattr(evaluate, name, value)
    monkeypatch.setattr(workers, "run", run_here)
    for module in (evaluate, evaluation_parts):
        monkeypatch.setattr(module, "bundle_digest", lambda folder: "bundle")
        monkeypatch.setattr(module, "face_space_identity", lambda folder: {"kind": "landmark"})
    monkeypatch.setattr(evaluation_parts, "judge_weights", lambda metrics: {"lpips": "0"})
    for clip_id in "ab":
        crop = tmp_path / "data/crops/hdtf" / f"{clip_id}.mp4"
        write_video(crop, (picture(value) for value in mouth(ord(clip_id))), FPS, crf=1)
        write_wav(crop.with_suffix(".wav"), np.zeros(FRAMES * RATE_HZ // FPS, np.float32))
    return SimpleNamespace(run=lambda: evaluate.main(lambda line: None), done=done, parts=parts, folder=tmp_path)


def outputs(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted((folder / "data/evaluation").rglob("*")) if path.is_file()}


def test_files_numbers_and_page(stage):
    stage.run()
    metrics = json.loads((stage.folder / "data/evaluation/metrics.json").read_text())
    assert metrics["clips"] == 2 and metrics["failed_videos"] == 0
    assert metrics["mouth_r"] > 0.9 and metrics["mouth_r_wrong_speech"] < 0.6
    for name, columns in COLUMNS.items():
        assert pq.read_schema(stage.folder / f"data/evaluation/{name}.parquet").names == columns.split()
    assert metrics["pose_identical_over_emotions"] == 1 and "yaw_range_deg_training" in metrics
    assert {"a_generated.mp4", "a_side_by_side.mp4", "b_generated.mp4", "emotions.mp4", "poses.mp4", "seeds.mp4",
            "dials.mp4"} <= {
        path.name for path in (stage.folder / "data/evaluation/videos").iterdir()}
    (stage.folder / "params.yaml").write_text("profile: embedded\n")
    assert "Mouth opening of clip a" in render_html(collect(stage.folder))


@pytest.mark.slow
def test_a_second_run_computes_nothing_and_gives_the_same_bytes(stage):
    stage.run()
    first, count = outputs(stage.folder), len(stage.done)
    stage.run()
    assert len(stage.done) == count == 28 and outputs(stage.folder) == first


@pytest.mark.slow
def test_a_killed_job_alone_is_computed_again(stage):
    stage.run()
    first = outputs(stage.folder)
    (stage.done[1].folder / "result.json").unlink()  # what kill -9 leaves: everything but the last file
    del stage.done[:]
    stage.run()
    assert len(stage.done) == 1 and outputs(stage.folder) == first


@pytest.mark.slow
def test_a_model_that_renders_no_face_leaves_rows_and_no_numbers(stage):
    def nothing(frames):
        raise FaceNotFound(0)

    judges = replace(stage.parts[0].judges, landmarks=nothing)
    stage.parts[0] = replace(stage.parts[0], judges=judges)
    stage.run()
    metrics = json.loads((stage.folder / "data/evaluation/metrics.json").read_text())
    assert metrics["failed_videos"] == 4 and metrics["clips"] == 0 and "mouth_r" not in metrics
    (stage.folder / "params.yaml").write_text("profile: embedded\n")
    assert "face_not_found" in render_html(collect(stage.folder))
