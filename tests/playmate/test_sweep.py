"""`playmate sweep`: one command fills DVC's queue, works it off and shows the table."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.core.config import ParamsError
from playmate.sweep import run_sweep
from tests.toy_project import environment, run

pytestmark = pytest.mark.processes

TRAIN = """
import json, yaml
from pipeline.core.paths import WORK
lr = yaml.safe_load(open("params.yaml"))["train_audio"]["lr"]
WORK.mkdir(exist_ok=True)
(WORK / f"run-{lr}").touch()
json.dump({"loss_last": 2 * lr}, open("metrics.json", "w"))
"""
STAGE = """
stages:
  train_audio:
    cmd: python train.py
    deps: [train.py]
    params: [train_audio.lr]
    metrics: [metrics.json]
"""


def commit(folder: Path) -> None:
    for command in (["init", "-q"], ["add", "-A"],
                    ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=folder, check=True)


@pytest.fixture
def tiny(tmp_path, monkeypatch, project) -> Path:
    """A DVC project of one stage that is over at once; git knows nothing of it yet."""
    for name, text in {"train.py": TRAIN, "dvc.yaml": STAGE, "params.yaml": "train_audio: {lr: 0.5}\n",
                       ".gitignore": ".playmate\nmetrics.json\n"}.items():
        (tmp_path / name).write_text(text)
    shutil.copytree(project / ".dvc", tmp_path / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache"))
    monkeypatch.setenv("PYTHONPATH", str(project))
    monkeypatch.setenv("PATH", environment()["PATH"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_three_rates_from_one_command(tiny, capfd):
    commit(tiny)
    run_sweep(["train_audio.lr=0.1,0.2,0.3"], "train_audio")
    table = capfd.readouterr().out.rpartition("Experiment")[2]
    rows = [line for line in table.splitlines() if any(f" {value} " in line for value in ("0.1", "0.2", "0.3"))]
    assert len(rows) == 3 and all(f" {2 * rate} " in table for rate in (0.1, 0.2, 0.3))
    assert sorted(os.listdir(".playmate")) == ["run-0.1", "run-0.2", "run-0.3"]  # not in DVC's copies, which are gone
    assert (tiny / "params.yaml").read_text() == "train_audio: {lr: 0.5}\n"


def test_what_cannot_be_queued_is_said(tiny):
    with pytest.raises(ValueError, match="need a git repository with a commit"):
        run_sweep(["train_audio.lr=0.1,0.2"], "train_audio")
    with pytest.raises(ParamsError, match="write KEY=VALUE,VALUE"):
        run_sweep(["train_audio.lr"], "train_audio")


@pytest.mark.nightly
@pytest.mark.e2e
def test_a_sweep_of_the_real_stage_is_in_mlflow_and_in_dvcs_table(toy_run):
    from pipeline.tracking.client import connect, tracking_uri

    commit(toy_run)
    shown = run(toy_run, "playmate", "sweep", "train_audio.lr=1e-4,4e-4,1e-3")
    assert all(rate in shown.rpartition("Experiment")[2] for rate in ("0.0001", "0.0004", "0.001"))
    client = connect(tracking_uri(toy_run))
    runs = client.search_runs([client.get_experiment_by_name("train_audio").experiment_id])
    assert {run.data.params["train_audio.lr"] for run in runs} >= {"0.0001", "0.0004", "0.001"}
    assert all(run.info.status == "FINISHED" and "validation_r" in run.data.metrics for run in runs)
    with pytest.raises(ParamsError, match=r"has no train_audio\.rate; train_audio has lr$"):
        run_sweep(["train_audio.rate=1,2"], "train_audio")
    with pytest.raises(ParamsError, match=r"has no train\.lr; it has train_audio$"):
        run_sweep(["train.lr=1,2"], "train_audio")


def test_a_repository_that_git_refuses_is_told_in_git_s_words(tiny, monkeypatch):
    commit(tiny)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")   # git's own switch for its tests
    monkeypatch.setenv("HOME", str(tiny))
    with pytest.raises(ValueError, match="dubious ownership"):
        run_sweep(["train_audio.lr=0.1,0.2"], "train_audio")
