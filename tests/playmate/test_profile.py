"""Profiles: what is written into params.yaml, and that nothing else is."""

from __future__ import annotations

import shutil

import pytest
import yaml

from pipeline.core.config import ParamsError, load_params
from playmate.profile import apply, leaves, names


@pytest.fixture
def folder(tmp_path, project, monkeypatch):
    shutil.copytree(project / "profiles", tmp_path / "profiles")
    shutil.copy(project / "params.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_embedded_is_what_params_yaml_has(folder):
    assert apply("embedded") == []


def test_all_profiles_name_the_same_keys(folder):
    keys = {name: {key for key, _ in leaves(yaml.safe_load((folder / f"profiles/{name}.yaml").read_text()))}
            for name in names()}
    assert sorted(keys) == ["embedded", "paper", "paper_toy", "shipped", "shipped_emotion"]
    assert all(named == keys["embedded"] for named in keys.values())


def test_there_and_back_leaves_every_byte(folder):
    before = (folder / "params.yaml").read_bytes()
    for name in ("paper", "shipped", "shipped_emotion", "paper_toy", "embedded"):
        assert apply(name)
    assert (folder / "params.yaml").read_bytes() == before


def test_paper_is_the_papers_and_keeps_comments_and_other_keys(folder):
    text = (folder / "params.yaml").read_text().replace("path: data/embedded/mead", "path: /data/sets/mead")
    (folder / "params.yaml").write_text(text)
    apply("paper")
    params = load_params()
    assert (params.face_space.kind, params.speech.kind, params.preprocess.measure.detector) == (
        "liveportrait", "wav2vec2", "buffalo_l")
    assert (params.model.dim, params.model.layers, params.model.window, params.diffusion.target) == (512, 8, 100, "eps")
    assert params.untrained == () and params.stamp == "paper" and params.corpora["mead"].path == "/data/sets/mead"
    assert (folder / "params.yaml").read_text().count("#") == text.count("#")


def test_the_toy_is_stamped(folder):
    apply("paper_toy")
    assert load_params().untrained == ("face_space", "speech")
    assert load_params().stamp == "paper_toy (untrained: face_space, speech)"


def test_an_unknown_profile_names_the_known_ones(folder):
    with pytest.raises(ParamsError, match="'papers': choose one of embedded, paper, paper_toy, shipped"):
        apply("papers")


def test_a_profile_that_cannot_be_used_changes_nothing(folder):
    (folder / "profiles" / "mine.yaml").write_text("model: {dim: 100}\n")
    before = (folder / "params.yaml").read_bytes()
    with pytest.raises(ParamsError, match="multiple of twice heads"):
        apply("mine")
    (folder / "profiles" / "mine.yaml").write_text("model: {width: 100}\n")
    with pytest.raises(ParamsError, match=r"names model\.width"):
        apply("mine")
    assert (folder / "params.yaml").read_bytes() == before
