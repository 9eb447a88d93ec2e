"""What a profile needs of the weights table, and how `playmate weights list` says what it lacks."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from playmate.main import app
from playmate.profile import params_with
from playmate.weights import needed_weights


def names(profile: str, own_data: bool = False, **changes) -> set[str]:
    params = params_with(profile)
    if own_data:
        params = params.model_copy(update={"corpora": {name: corpus.model_copy(update={"path": f"/data/sets/{name}"})
                                                       for name, corpus in params.corpora.items()}})
    sections = {name: getattr(params, name).model_copy(update=values) for name, values in changes.items()}
    return {weight.name for weight in needed_weights(params.model_copy(update=sections))}


@pytest.fixture(autouse=True)
def in_the_project(project, monkeypatch, tmp_path):
    monkeypatch.chdir(project)
    monkeypatch.setenv("PLAYMATE_CACHE", str(tmp_path))


def test_the_paper_profile_needs_the_papers_networks():
    assert names("paper", own_data=True) == {
        "buffalo_l", "silero_vad", "syncnet", "scrfd", "liveportrait", "vgg19", "wav2vec2_base_960h", "face_landmarker",
        "fid_inception", "i3d", "arcface_w600k_r50", "lpips_alexnet", "hsemotion",
        "emotion_facex"}  # the last one: the ablation's P(emotion asked for)


def test_a_checkpoint_of_the_users_and_no_tuning_need_less():
    less = names("paper", face_space={"checkpoint": "/mine", "tune": params_with("embedded").face_space.tune},
                 speech={"checkpoint": "/mine"})
    assert names("paper") - less == {"liveportrait", "vgg19", "wav2vec2_base_960h"}


def test_the_small_profiles_need_nothing_that_no_registry_has():
    for profile in ("embedded", "paper_toy"):
        assert {weight.pack for weight in needed_weights(params_with(profile))} == {"embedded"}
    assert "whisper_tiny_en" in names("embedded") and "whisper_tiny_en" not in names("paper_toy")
    assert names("embedded") - names("embedded", own_data=True) == {
        "kokoro_1", "kokoro_2", "kokoro_3", "kokoro_4", "kokoro_voices",
        "portrait_pyfeat_f1", "portrait_pyfeat_f15", "portrait_pyfeat_f13", "portrait_pyfeat_single"}


def test_list_says_what_is_lacking_and_the_command_that_gets_it():
    told = CliRunner().invoke(app, ["weights", "list", "--profile", "paper_toy"]).stdout
    assert "profile paper_toy lacks" in told and "`playmate weights pull --profile paper_toy`" in told


def test_list_as_json():
    rows = json.loads(CliRunner().invoke(app, ["weights", "list", "--profile", "paper", "--json"]).stdout)
    found = {row["name"]: row for row in rows}
    assert found["syncnet"]["state"] == "missing" and found["buffalo_l"]["non_commercial"] is True
    assert found["buffalo_l"]["source"].startswith("https://") and set(found) == names("paper")
