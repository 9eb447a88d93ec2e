"""Both stages over a toy feature store, in this process and under Ray Train."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import save_file

from pipeline.components.bundle import load_bundle
from pipeline.core.config import load_params
from stages import statistics, train_audio, train_emotion
from tests import chosen
from tests.training.toy import SPEECH_DIM, K, Untracked, make_project
from training.motion.build import audio_job, emotion_job, read_statistics


@pytest.fixture
def toy(tmp_path, monkeypatch, project):
    make_project(tmp_path, project, workers=0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("training.engine.worker.tracked_run", lambda *given: nullcontext(Untracked()))
    statistics.main(lambda text: None)
    return tmp_path


def change(section, **values):
    with open("params.yaml") as file:
        params = yaml.safe_load(file)
    chosen.change(params[section], values)
    with open("params.yaml", "w") as file:
        yaml.safe_dump(params, file)


def run_of(folder) -> str:
    return json.loads((folder / "metrics.json").read_text())["run"]


def test_both_stages_write_bundles_that_fit_together(toy):
    said = []
    train_audio.main(said.append)
    train_emotion.main(said.append)
    audio, joint = load_bundle(toy / "data/models/audio/bundle"), load_bundle(toy / "data/models/emotion/bundle")
    assert audio.config.model.num_emotions == 0 and joint.config.model.num_emotions == 8
    frozen, now = audio.model.state_dict(), joint.model.state_dict()
    assert all(torch.equal(value, now[name]) for name, value in frozen.items())
    assert np.array_equal(audio.statistics.pose_std, joint.statistics.pose_std)
    assert (toy / "data/models/audio/curve.csv").read_text().count("\n") == 5
    assert any("train_emotion: loss" in line for line in said)


def test_a_rerun_reads_the_result_and_a_changed_parameter_trains_anew(toy, monkeypatch):
    train_audio.main(lambda text: None)
    folder = toy / "data/models/audio"
    first, bundle = run_of(folder), (folder / "bundle/model.safetensors").read_bytes()
    with monkeypatch.context() as forbid:
        forbid.setattr("training.engine.run._here", None)  # a call would fail
        train_audio.main(lambda text: None)
    assert run_of(folder) == first and (folder / "bundle/model.safetensors").read_bytes() == bundle
    change("train_audio", lr=0.5)
    train_audio.main(lambda text: None)
    assert run_of(folder) != first and (folder / "bundle/model.safetensors").read_bytes() != bundle


def test_how_motion_is_sampled_and_the_name_of_the_profile_train_nothing_anew(toy, monkeypatch):
    """Both stand in bundle.json, which stage 2 starts from; a label set is no part of stage 1 alone."""
    train_audio.main(lambda text: None)
    train_emotion.main(lambda text: None)
    folders = [toy / "data/models" / stage for stage in ("audio", "emotion")]
    runs = [run_of(folder) for folder in folders]
    change("sample", audio_scale=3.0, emotion_scale=0.5, solver="ddpm", steps=7, limit=4.0)
    with open("params.yaml") as file:
        params = yaml.safe_load(file) | {"profile": "renamed"}
    (toy / "params.yaml").write_text(yaml.safe_dump(params))
    with monkeypatch.context() as forbid:
        forbid.setattr("training.engine.run._here", None)  # a call would fail
        train_audio.main(lambda text: None)
        train_emotion.main(lambda text: None)
    assert [run_of(folder) for folder in folders] == runs
    config = load_bundle(folders[1] / "bundle").config
    assert (config.sample.steps, config.sample.audio_scale, config.profile) == (7, 3.0, "renamed")
    change("train_audio", lr=0.5)  # what is trained of stage 1 does
    train_audio.main(lambda text: None)
    train_emotion.main(lambda text: None)
    assert run_of(folders[1]) != runs[1]


def test_clips_go_where_they_belong(toy):
    train_audio.main(lambda text: None)
    params, nowhere = load_params(), None
    audio, emotion = audio_job(params, nowhere, "x"), emotion_job(params, nowhere, "x")
    assert [clip.clip_id for clip in audio.clips] == [f"avspeech{i}" for i in range(4)]
    assert [clip.clip_id for clip in audio.validation_clips] == ["avspeech4"]
    assert [clip.emotion for clip in emotion.clips] == [0, 5, 6, 1]  # neutral, happy, sad, angry of core8
    assert {clip.emotion for clip in audio.clips} == {-1}
    pose = np.concatenate([clip.motion[:, 3 * K:] for clip in audio.clips])
    np.testing.assert_allclose([pose.mean(), pose.std()], [0, 1], atol=1e-5)  # eq. 6, each clip by itself
    expression = np.concatenate([clip.motion[:, :3 * K] for clip in audio.clips])
    np.testing.assert_allclose(expression.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(expression.std(0), 1, atol=1e-5)
    assert audio.model.shape.speech_dim == SPEECH_DIM


def test_training_goes_on_from_another_bundle(toy, caplog):
    train_audio.main(lambda text: None)
    bundle = toy / "data/models/audio/bundle"
    before = load_bundle(bundle).model.state_dict()
    bundle.rename(toy / "other")
    change("train_audio", init="other")
    started = audio_job(load_params(), None, "x").model.state_dict()
    assert all(torch.equal(started[name], before[name]) for name in before)
    change("model", dim=32)
    audio_job(load_params(), None, "x")
    assert re.search("other does not fit .*model.dim is 16, here 32.*starts from scratch", caplog.text)
    change("train_audio", init="elsewhere")
    with pytest.raises(ValueError, match="elsewhere: there is no such bundle"):
        audio_job(load_params(), None, "x")


def test_a_share_of_the_way_from_another_bundle(toy, monkeypatch):
    """0 is that bundle itself, with the statistics that it knows; none of it trains anew."""
    train_audio.main(lambda text: None)
    bundle = toy / "data/models/audio/bundle"
    shutil.copytree(bundle, toy / "other")
    change("train_audio", init="other", lr=0.5)
    tensors = read_statistics().tensors()
    save_file(tensors | {"expression_mean": tensors["expression_mean"] + 1}, "data/statistics/statistics.safetensors")
    train_audio.main(lambda text: None)
    start, end, found = load_bundle(toy / "other"), load_bundle(bundle), {}
    with monkeypatch.context() as forbid:
        forbid.setattr("training.engine.run._here", None)  # a call would fail
        for share in (0.0, 0.25):
            change("train_audio", trainer={"tuned_share": share})
            train_audio.main(lambda text: None)
            found[share] = load_bundle(bundle)
    for name, value in start.model.state_dict().items():
        assert torch.equal(found[0.0].model.state_dict()[name], value)
        quarter = torch.lerp(value, end.model.state_dict()[name], 0.25) if value.is_floating_point() else value
        torch.testing.assert_close(found[0.25].model.state_dict()[name], quarter)
    for share, same in ((0.0, start), (0.25, end)):
        assert np.array_equal(found[share].statistics.expression.mean, same.statistics.expression.mean)
    assert not np.array_equal(start.statistics.expression.mean, end.statistics.expression.mean)


def test_no_labelled_clip_is_an_error_that_says_so(toy):
    train_audio.main(lambda text: None)
    change("corpora", mead={"reader": "mead", "path": "mead", "use": ["audio"], "singing": False, "sync": False},
           avspeech={"reader": "avspeech", "path": "avspeech", "use": ["audio", "emotion"], "singing": False,
                     "sync": False})
    with pytest.raises(ValueError, match="no training clip in avspeech is labelled neutral, angry"):
        emotion_job(load_params(), None, "x")


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("sharded", [False, pytest.param(True, marks=pytest.mark.nightly)])
def test_ray_train_with_two_workers_equals_one_process(toy, project, sharded):
    """In a process of its own: the stage starts a Ray, and tests of this process may hold another."""
    said = []
    train_audio.main(lambda text: None)
    alone = load_bundle(toy / "data/models/audio/bundle").model.state_dict()
    change("train_audio", trainer={"workers": 2, "sharded": sharded})
    train_audio.main(said.append)  # the number of workers is no part of what a run is: it is found finished
    assert not any("workers" in line for line in said)
    shutil.rmtree(toy / ".playmate/training")
    done = subprocess.run([sys.executable, "-m", "stages.train_audio"], cwd=toy, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(project)}, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert "on 2 CPU workers" in done.stdout
    together = load_bundle(toy / "data/models/audio/bundle").model.state_dict()
    for name, value in alone.items():
        torch.testing.assert_close(together[name], value, rtol=1e-3, atol=1e-5)
