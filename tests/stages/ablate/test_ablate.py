"""The ablate stage around a face whose answers are known: tables by model, a clip that fails, the same bytes twice."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from evaluation.ablation.clip import AblationSettings
from evaluation.jobs.clip import FPS, Clip
from evaluation.results.files import read_csv
from models.face.points import NUM_KEYPOINTS
from models.generation.talking_head import TalkingHead
from models.motion.normalization import Normalizer
from pipeline.core import paths
from pipeline.core.config import load_params
from pipeline.media.film import write_video
from stages.ablate import stage as ablate
from tests.evaluation.fakes import FakeGenerator, FakeSpace, fake_parts, motion_of, picture, rest_keypoints

FRAMES, DIM = 50, 3 * NUM_KEYPOINTS
SETTINGS = AblationSettings("happy", frame_stride=2, network_stride=5, max_lag_frames=2, emo_a="mean_logits")


class Generator(FakeGenerator):
    statistics = SimpleNamespace(expression=Normalizer(np.zeros(DIM), np.ones(DIM), np.ones(DIM, bool)))


def clip(folder, name: str, seed: int) -> Clip:
    mouth = np.random.default_rng(seed).uniform(0.1, 0.9, FRAMES)
    write_video(folder / f"{name}.mp4", (picture(value) for value in mouth), FPS, crf=1)
    speech = np.stack([mouth, mouth], 1).astype(np.float32)
    return Clip(name, "hdtf", "hdtf/p", str(folder / f"{name}.mp4"), rest_keypoints(), motion_of(mouth), speech, seed)


@pytest.fixture
def run(tmp_path, project, monkeypatch):
    params = load_params(project / "params.yaml")
    section = params.ablate.model_copy(update={"audio_scales": [1.0], "emotion_scales": [2.0], "long_s": 6.0})
    clips = [clip(tmp_path, "a", 0), replace(clip(tmp_path, "b", 1), crop=str(tmp_path / "missing.mp4"))]
    parts = replace(fake_parts(), model=TalkingHead(FakeSpace(), Generator()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ablate, "_parts", [parts])
    for name, value in {
            "load_params": lambda: params.model_copy(update={"ablate": section}), "read_split": lambda folder: {},
            "FeatureStore": lambda folders: None, "test_clips": lambda *arguments: clips,
            "bundle_digest": str, "judge_weights": lambda metrics: {},
            "load_bundle": lambda folder: SimpleNamespace(generator=Generator),
            "_variants": lambda params, say: {"unchanged": tmp_path / "one", "noise_off": tmp_path / "two"},
            "_run": lambda tasks, params: [ablate._one(index, task, SETTINGS)
                                           for index, task in reversed(list(enumerate(tasks)))]}.items():
        monkeypatch.setattr(ablate, name, value)
    return lambda: ablate.main(lambda line: None)


def test_tables_by_model_and_a_clip_that_fails_is_named(run):
    run()
    grid, variants, long = (read_csv(paths.ABLATION / f"{name}.csv") for name in ("ablation", "variants", "long"))
    assert [(line["w_a"], line["w_e"], line["clips"]) for line in grid] == [(1.0, None, 1), (1.2, 2.0, 1)]
    assert [(line["model"], line["switch"]) for line in variants] == [
        ("unchanged", "nothing changed"), ("noise_off", "diffusion.previous_noise_t_max: 0")]
    assert variants[0]["mouth_r"] > 0.9
    assert grid[0]["csim_mobilefacenet"] == pytest.approx(1) and 0 < grid[0]["lpips_alexnet"] < 0.1
    assert grid[0]["fd_efficientnet_lite0"] > 0 and grid[0]["p_happy_facex"] == pytest.approx(0.6)
    assert [line["model"] for line in long] == ["in use"] * 2 + ["unchanged"] * 2 + ["noise_off"] * 2
    stored = json.loads((paths.ABLATION / "ablation.json").read_text())
    assert [failure["clip_id"] for failure in stored["failures"]] == ["b"] * 3
    assert stored["variants"] == {"unchanged": "nothing changed", "noise_off": "diffusion.previous_noise_t_max: 0"}


def test_the_same_bytes_twice(run):
    run()
    first = {path.name: path.read_bytes() for path in paths.ABLATION.iterdir()}
    run()
    assert {path.name: path.read_bytes() for path in paths.ABLATION.iterdir()} == first
