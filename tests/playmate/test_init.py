"""`playmate init`: what a new project holds, and what it refuses."""

from __future__ import annotations

import subprocess
from fractions import Fraction

import numpy as np
import pytest
import yaml

from pipeline.core.config import ParamsError, load_params
from playmate.init import make_project, pipeline_of_a_package
from stages.preprocess.readers import CorpusError
from tests.stages.preprocess.makers import clicks, regular, write
from tests.toy_project import run

pytestmark = pytest.mark.processes


@pytest.fixture
def recordings(tmp_path):
    """Two people, a second each."""
    for number, person in enumerate(("anna", "ben")):
        path = tmp_path / "talks" / person / "1.mp4"
        path.parent.mkdir(parents=True)
        frames = [np.full((64, 64, 3), 20 * i + number, np.uint8) for i in range(5)]
        write(path, frames, regular(5, 1), clicks([Fraction(1, 2)], 1, 16000), rate=16000)
    return tmp_path / "talks"


def test_a_project_holds_the_corpora_found_and_its_first_commit(recordings, tmp_path):
    said, folder = [], tmp_path / "project"
    make_project(folder, [str(recordings)], "embedded", said.append)
    params = load_params(folder / "params.yaml")
    assert {name: (corpus.reader, corpus.path, corpus.use) for name, corpus in params.corpora.items()} == {
        "talks": ("clips", str(recordings), ["audio"])}
    assert params.train_emotion.steps == 0 and "no clip is labelled" in said[0]
    text = (folder / "params.yaml").read_text()
    assert "# YOUR DATA" in text and text.index("ray:") > text.index("talks:")   # comments and order stay
    tracked = subprocess.run(["git", "ls-files"], cwd=folder, capture_output=True, text=True, check=True).stdout.split()
    assert {"params.yaml", "dvc.yaml", ".gitignore", ".dvc/config", "pretrained/embedded/bundle.json"} <= set(tracked)


def test_its_stage_code_looks_at_the_package_in_every_run(recordings, tmp_path):
    folder = tmp_path / "project"
    make_project(folder, [str(recordings)], "embedded", print)
    run(folder, "dvc", "repro", "code")
    assert len((folder / "data/code/report.txt").read_text().split()) > 5   # its templates, too
    assert "always changed" in run(folder, "dvc", "status", "code")


def test_two_folders_of_one_name_and_none_at_all(recordings, tmp_path):
    other = tmp_path / "elsewhere" / "talks"
    other.mkdir(parents=True)
    (recordings / "anna" / "1.mp4").rename(other / "a.mp4")
    make_project(tmp_path / "both", [str(recordings), str(other)], "embedded", print)
    assert list(load_params(tmp_path / "both/params.yaml").corpora) == ["talks", "talks_2"]
    make_project(tmp_path / "demo", [], "paper_toy", print)
    made = load_params(tmp_path / "demo/params.yaml")
    assert made.all_embedded and made.profile == "paper_toy"


def test_a_folder_is_named_from_where_one_stands(recordings, tmp_path, monkeypatch):
    monkeypatch.chdir(recordings)   # the data are here, and here is no project
    make_project(tmp_path / "project", ["."], "embedded", print)
    monkeypatch.chdir(tmp_path / "project")
    assert load_params().corpora["talks"].path == str(recordings)
    with pytest.raises(CorpusError, match="holds no video"):
        make_project(tmp_path / "none", [str(tmp_path / "project")], "embedded", print)
    assert not (tmp_path / "none").exists()


def test_nothing_of_a_users_is_written_over(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty"):
        make_project(tmp_path, [], "embedded", print)
    with pytest.raises(ParamsError, match="no profile 'papper'"):
        make_project(tmp_path / "new", [], "papper", print)
    assert not (tmp_path / "new").exists()   # the same command can be given again


def test_only_the_stage_code_differs_from_the_clones_pipeline(project):
    theirs = yaml.safe_load((project / "dvc.yaml").read_text())
    ours = yaml.safe_load(pipeline_of_a_package((project / "dvc.yaml").read_text()))
    assert ours["stages"].pop("code")["always_changed"] and theirs["stages"].pop("code")["deps"]
    assert ours == theirs
