"""SIGKILL under Ray Train: a worker that dies is started again by Ray, a driver by the user; the weights are the same.

In processes of their own: the stage starts a Ray, and tests of this process may hold another.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from stages import statistics
from tests.training.toy import make_project

STEPS, WAIT_S = 300, 900.0
MODEL = "data/models/audio/bundle/model.safetensors"


@pytest.fixture
def start(tmp_path, monkeypatch, project):
    """Start stage 1 in a fresh project folder, where it has none, as a process of its own."""

    def starting(name: str, workers: int) -> tuple[Path, subprocess.Popen]:
        folder = tmp_path / name
        if not folder.exists():
            folder.mkdir()
            make_project(folder, project, workers=workers, min_workers=workers, steps=STEPS, checkpoint_every=25,
                         validate_every=100, log_every=5)
            monkeypatch.chdir(folder)
            statistics.main(lambda text: None)
        with (folder / "log").open("ab") as log:
            return folder, subprocess.Popen([sys.executable, "-m", "stages.train_audio"], cwd=folder, stdout=log,
                                            stderr=log, env={**os.environ, "PYTHONPATH": str(project)})

    return starting


def ray_workers(folder: Path) -> list[psutil.Process]:
    """Processes that Ray Train runs the loop in. Ray's agents and its controller work in that folder, too."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder) and "".join(process.cmdline()).startswith("ray::RayTrainWorker"):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_for_step(folder: Path, step: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + WAIT_S
    while not any(json.loads(path.read_text())["step"] >= step
                  for path in (folder / ".playmate/training").glob("*/progress.json")):
        assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()[-4000:]
        time.sleep(0.01)


def ended(folder: Path, process: subprocess.Popen) -> bytes:
    assert process.wait(WAIT_S) == 0, (folder / "log").read_text()[-4000:]
    return (folder / MODEL).read_bytes()


@pytest.mark.nightly
@pytest.mark.parametrize("victim", ["worker", "driver"])
@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_killed_under_ray_train_ends_with_the_same_bits(start, workers, victim):
    undisturbed = ended(*start("undisturbed", workers))
    folder, process = start("killed", workers)
    wait_for_step(folder, random.Random(workers).randint(30, STEPS - 100), process)
    if victim == "worker":
        random.Random(workers).choice(ray_workers(folder)).send_signal(signal.SIGKILL)
    else:
        process.send_signal(signal.SIGKILL)
        process.wait()
        _, process = start("killed", workers)
    assert ended(folder, process) == undisturbed
