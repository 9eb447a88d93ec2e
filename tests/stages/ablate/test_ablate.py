"""The ablate stage around a face whose answers are known: tables by model, a clip that fails, the same bytes twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from evaluation.ablation import clip as ablation_clip
from evaluation.ablation import long_speech
from evaluation.ablation.clip import AblationSettings, GridJob, measurements
from evaluation.ablation.grid import Setting, table
from evaluation.jobs import parts as evaluation_parts
from evaluation.jobs import workers
from evaluation.jobs.clip import FPS, Clip
from evaluation.jobs.workers import Worker
from evaluation.results.files import read_csv
from models.face.points import NUM_KEYPOINTS
from models.generation.talking_head import TalkingHead
from models.motion.normalization import Normalizer
from pipeline.compute.resources import Actors
from pipeline.core import paths
from pipeline.core.config import load_params
from pipeline.media.film import write_video
from stages.ablate import stage as ablate
from tests.evaluation.fakes import LABELS, FakeGenerator, FakeSpace, fake_parts, motion_of, picture, rest_keypoints

FRAMES, DIM = 50, 3 * NUM_KEYPOINTS
COLUMNS = {"ablation": "w_a,w_e,csim_mobilefacenet,keypoint_jitter,lpips_alexnet,mouth_opening_std_ratio,mouth_r,"
                       "mouth_r_wrong_speech,p_asked_facex,yaw_jitter_deg,yaw_range_deg,fd_efficientnet_lite0,clips",
           "variants": "model,switch,mouth_r,mouth_r_wrong_speech,yaw_jitter_deg,yaw_range_deg,keypoint_jitter,clips",
           "long": "model,expression_error,expression_spread,mouth_r,repeat,seconds,start_s,yaw_jitter_deg"}
SETTINGS = AblationSettings(frame_stride=2, network_stride=5, max_lag_frames=2, emo_a="mean_logits")


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
    section = params.ablate.model_copy(update={"audio_scales": [1.0], "emotion_scales": [2.0], "long_s": 6.0,
                                               "gpus_per_actor": 0.5})
    (tmp_path / "broken.mp4").write_bytes(b"no film")
    clips = [clip(tmp_path, "a", 0), replace(clip(tmp_path, "b", 1), crop=str(tmp_path / "broken.mp4"))]
    parts = replace(fake_parts(), head=TalkingHead(FakeSpace(), Generator()))
    monkeypatch.chdir(tmp_path)
    done: list[str] = []

    def run_here(tasks, make, actors, ray, say):
        assert (actors, make.args[1]) == (Actors("ablate", 2, 0.5), True)  # a GPU's share from params.yaml
        for task in tasks:
            done.append(task.job.stage)
            yield task, Worker(make.args[0], parts=parts)(task)

    monkeypatch.setattr(workers, "run", run_here)
    for module in (ablate, ablation_clip, long_speech, evaluation_parts):
        monkeypatch.setattr(module, "bundle_digest", str)
    bundle = SimpleNamespace(generator=lambda device: Generator())
    monkeypatch.setattr(ablation_clip, "load_bundle", lambda folder: bundle)
    monkeypatch.setattr(evaluation_parts, "face_space_identity", lambda folder: {"kind": "landmark"})
    monkeypatch.setattr(evaluation_parts, "judge_weights", lambda metrics: {})
    for name, value in {
            "load_params": lambda: params.model_copy(update={"ablate": section}), "read_split": lambda folder: {},
            "FeatureStore": lambda folders: None, "test_clips": lambda *arguments: clips,
            "judge_weights": lambda metrics: {},
            "_variants": lambda params, say: {"unchanged": tmp_path / "one", "noise_off": tmp_path / "two"}}.items():
        monkeypatch.setattr(ablate, name, value)

    def go() -> list[str]:
        """What was computed."""
        done.clear()
        ablate.main(lambda line: None)
        return list(done)

    return go


def test_tables_by_model_and_a_clip_that_fails_is_named(run):
    run()
    for name, columns in COLUMNS.items():
        assert (paths.ABLATION / f"{name}.csv").read_text().splitlines()[0] == columns
    grid, variants, long = (read_csv(paths.ABLATION / f"{name}.csv") for name in ("ablation", "variants", "long"))
    assert [(line["w_a"], line["w_e"], line["clips"]) for line in grid] == [(1.0, None, 1), (1.2, 2.0, 1)]
    assert [(line["model"], line["switch"]) for line in variants] == [
        ("unchanged", "nothing changed"), ("noise_off", "diffusion.previous_noise_t_max: 0")]
    assert variants[0]["mouth_r"] > 0.9
    assert grid[0]["csim_mobilefacenet"] == pytest.approx(1) and 0 < grid[0]["lpips_alexnet"] < 0.1
    assert grid[0]["fd_efficientnet_lite0"] > 0 and grid[0]["p_asked_facex"] == pytest.approx(0.6)
    assert [line["model"] for line in long] == ["in use"] * 2 + ["unchanged"] * 2 + ["noise_off"] * 2
    stored = json.loads((paths.ABLATION / "ablation.json").read_text())
    assert [failure["clip_id"] for failure in stored["failures"]] == ["b"] * 3
    assert stored["variants"] == {"unchanged": "nothing changed", "noise_off": "diffusion.previous_noise_t_max: 0"}


def measured_on(one: Clip, wrong_speech, grid, emotion: str, parts):
    job = GridJob(one, wrong_speech, "other", tuple(grid), emotion, "in use", None)
    return measurements(job.run(parts, SETTINGS, Path()))


def test_emo_a_is_over_all_emotions_that_are_asked_for(tmp_path):
    """Four clips ask for happy, neutral, happy, neutral; the judge sees happy in all of them: half are right."""
    judge = replace(fake_parts().judges, emotion=lambda faces: np.tile([9.0, 0.0, 0.0], (len(faces), 1)),
                    emotion_labels=LABELS)
    parts = replace(fake_parts(), head=TalkingHead(FakeSpace(), Generator()), judges=judge)
    grid, clips = [Setting(1.0, None), Setting(1.0, 2.0)], [clip(tmp_path, name, i) for i, name in enumerate("abcd")]
    found = [one for index, (each, asked) in enumerate(zip(clips, ["happy", "neutral"] * 2, strict=True))
             for one in measured_on(each, clips[index - 1].speech, grid, asked, parts)]
    without, with_emotion = table(found, grid)
    assert without.numbers["emo_a"] is None and with_emotion.numbers["emo_a"] == 50.0
    assert with_emotion.numbers["p_asked_facex"] == pytest.approx((0.6 + 0.3) / 2)


def test_an_emotion_that_facex_does_not_know_has_no_probability(tmp_path):
    parts = replace(fake_parts(), head=TalkingHead(FakeSpace(), replace(Generator(), labels=(*LABELS, "contempt"))))
    one = clip(tmp_path, "a", 0)
    [found] = measured_on(one, one.speech, [Setting(1.0, 2.0)], "contempt", parts)
    [line] = table([found], [Setting(1.0, 2.0)])
    assert found.row.numbers["p_asked_facex"] is None and line.numbers["p_asked_facex"] is None


def test_emotions_are_dealt_to_the_clips_in_turn(run, monkeypatch):
    params = ablate.load_params()
    section = params.ablate.model_copy(update={"emotions": ["happy", "sad"]})
    monkeypatch.setattr(ablate, "load_params", lambda: params.model_copy(update={"ablate": section}))
    run()
    stored = json.loads((paths.ABLATION / "ablation.json").read_text())
    assert stored["emotions"] == {"a": "happy", "b": "sad"}


def outputs() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths.ABLATION.iterdir()}


def test_a_second_run_tries_what_failed_alone_and_gives_the_same_bytes(run):
    assert len(run()) == 9  # three models, each on two clips and a passage
    first = outputs()
    assert run() == ["in use: guidance", "unchanged: guidance", "noise_off: guidance"]  # the clip without a film
    assert outputs() == first


def test_killed_it_goes_on(run):
    run()
    first = outputs()
    for result in ablate.WORK.glob("*/result.json"):  # what kill -9 leaves: everything but the last file
        if "repeat" in json.loads(result.read_text())[0]:
            result.unlink()
            break
    computed = run()
    assert len(computed) == 4 and sum(stage.endswith("long speech") for stage in computed) == 1
    assert outputs() == first


def test_what_is_no_longer_asked_for_is_removed(run, monkeypatch):
    run()
    count = len(list(ablate.WORK.iterdir()))
    monkeypatch.setattr(ablate, "_variants", lambda params, say: {})
    run()
    assert len(list(ablate.WORK.iterdir())) == count // 3
