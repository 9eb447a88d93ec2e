"""Nothing of a user's is deleted by DVC, which empties outputs before a stage: what no stage made stops the run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from pipeline.core import outputs
from pipeline.core.atomic import link_or_copy, write_text
from pipeline.core.outputs import NotOurs
from playmate.outputs import clean

DVC_YAML = """
stages:
  one:
    cmd: python make.py
    deps: [data/outputs.json]
    outs: [reports, data/small.txt: {cache: false}, data/kept: {cache: false, persist: true}]
    metrics: [data/m.json]
  many:
    foreach: ${corpora}
    do: {cmd: "true", outs: ["data/crops/${key}"]}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A project of two stages in the present folder; what is written in it is noted, as in a stage."""
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    (tmp_path / "params.yaml").write_text("corpora: {mine: {path: x}}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(outputs.VARIABLE, str(outputs.NOTES.absolute()))
    return tmp_path


def test_outputs_are_those_of_dvc_yaml(folder):
    assert outputs.outputs() == {"one": ["reports", "data/small.txt", "data/m.json"],
                                 "many@mine": ["data/crops/mine"]}


def test_what_stages_write_is_ours_and_stays_it_when_a_process_was_killed(folder):
    write_text(folder / "reports/plots/a.csv", "1")
    write_text(folder / "elsewhere.mp4", "1")
    link_or_copy(folder / "elsewhere.mp4", folder / "data/crops/mine/a.mp4")
    (folder / "reports/.index.0a1b2c3d.html").write_text("half")   # of a killed writer
    with outputs.NOTES.open("a") as file:
        file.write('["reports/cut sho')
    outputs.check()


@pytest.mark.parametrize("name", ["reports/notes.md", "reports/plots/a.csv", "reports/.hidden", "data/m.json",
                                  "data/crops/mine/deep/er/holiday.mp4", os.fsdecode(b"reports/\xff.txt"),
                                  "reports/ünï.txt"])
def test_a_file_of_somebodys_is_named_before_anything_is_deleted(folder, monkeypatch, name):
    write_text(folder / "reports/plots/a.csv", "1")
    monkeypatch.delenv(outputs.VARIABLE)   # a command, no stage
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    write_text(folder / name, "mine: changed or new")
    for look in (outputs.check, clean):
        with pytest.raises(NotOurs, match="not made here") as refused:
            look()
        assert name.encode("utf-8", "backslashreplace").decode() in str(refused.value)
    assert (folder / name).read_text() == "mine: changed or new"


def test_links_are_files_of_somebodys_and_are_not_followed(folder):
    (folder / "reports").mkdir()
    (folder / "reports/away").symlink_to("/")
    with pytest.raises(NotOurs, match="reports/away"):
        outputs.check()


def test_what_lies_outside_of_outputs_is_no_matter(folder):
    for name in ("data/kept/a.mp4", "data/raw/a.mp4", "data/crops/other/a.mp4", "mine.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("1")
    outputs.check()
    clean()
    assert (folder / "data/kept/a.mp4").exists()   # DVC leaves what persists
    assert (folder / "data/raw/a.mp4").exists() and (folder / "data/crops/other/a.mp4").exists()


def test_the_outputs_of_the_stage_that_ran_are_apart(folder):
    (folder / "reports").mkdir()
    (folder / "reports/a").touch()
    outputs.check(apart="one")
    with pytest.raises(NotOurs):
        outputs.check(apart="many@mine")


def test_clean_deletes_what_was_made(folder):
    write_text(folder / "reports/plots/a.csv", "1")
    write_text(folder / "data/m.json", "{}")
    clean()
    assert not (folder / "reports").exists() and not (folder / "data/m.json").exists()
    assert not (folder / ".playmate").exists()


@pytest.mark.processes
def test_what_dvc_brought_is_ours_and_dvc_never_gets_to_a_file_of_somebodys(folder, project, monkeypatch):
    """A project that was cloned and pulled has no notes; DVC has the bytes of all outputs in its cache or lock."""
    monkeypatch.delenv(outputs.VARIABLE)
    shutil.copy(project / "params.yaml", folder)
    (folder / "make.py").write_text("from pathlib import Path\nPath('reports').mkdir()\n"
                                    "for name in ('reports/a.txt', 'data/small.txt', 'data/m.json'):\n"
                                    "    Path(name).write_text('1' + name)\nPath('data/kept').touch()\n")
    (folder / "dvc.yaml").write_text(DVC_YAML.partition("  many")[0].replace(
        "  one", "  outputs:\n    cmd: python -m playmate.outputs\n    always_changed: true\n"
                 "    outs: [data/outputs.json: {cache: false}]\n  one"))
    subprocess.run(["git", "init", "-q"], check=True)
    environment = {**os.environ, "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
                   "PYTHONPATH": str(outputs.__file__).removesuffix("/pipeline/core/outputs.py")}

    def dvc(*command):
        return subprocess.run([sys.executable, "-m", "dvc", *command], env=environment, capture_output=True, text=True,
                              check=False)

    assert dvc("init", "-q").returncode == 0
    assert dvc("repro").returncode == 0
    outputs._locked_md5.cache_clear(), outputs._cache.cache_clear()
    outputs.NOTES.unlink()
    outputs.check()
    assert outputs.NOTES.is_file()   # and is not read again
    (folder / "reports/mine.txt").write_text("mine")
    (folder / "make.py").write_text("raise SystemExit('must not run')")
    said = dvc("repro", "-f")
    assert said.returncode and "reports/mine.txt" in said.stderr and "must not run" not in said.stderr
    assert sorted(os.listdir("reports")) == ["a.txt", "mine.txt"]
