"""`dvc repro` killed with SIGKILL in the middle of stage after stage, and run again, ends as if never killed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.toy_project import BIN, TOY, copy_project, environment, run

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]
KILLED_IN = ("corpora", "preprocess", "extract", "train_audio", "evaluate")
SAME_BYTES = ("data/split/split.parquet", "data/features/*/manifest.json", "data/models/*/bundle/model.safetensors",
              "data/evaluation/metrics.json")


def test_a_killed_run_ends_like_an_undisturbed_one(project, tmp_path):
    undisturbed, killed = (copy_project(project, tmp_path / name, TOY) for name in ("undisturbed", "killed"))
    run(undisturbed, "dvc", "repro")
    for stage in KILLED_IN:
        kill_dvc_during(killed, stage)
    run(killed, "dvc", "repro")
    assert digests(killed) == digests(undisturbed)


def kill_dvc_during(folder: Path, stage: str) -> None:
    """Start `dvc repro`, kill DVC alone three seconds after the stage began; the stage must end by itself."""
    dvc = subprocess.Popen([str(BIN / "dvc"), "repro"], cwd=folder, env=environment(), stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
    wait_until(lambda: stages_of(folder, stage) or dvc.poll() is not None, 600)
    assert dvc.poll() is None, f"dvc ended with {dvc.returncode} before {stage} began"
    time.sleep(3)
    os.kill(dvc.pid, signal.SIGKILL)
    dvc.wait()
    wait_until(lambda: not stages_of(folder, ""), 30)


def stages_of(folder: Path, stage: str) -> list[psutil.Process]:
    """Running `python -m stages.<stage>...` whose working folder is `folder`."""
    found = []
    for process in psutil.process_iter():
        try:
            module = [word for word in process.cmdline() if word.startswith(f"stages.{stage}")]
            if module and process.cwd() == str(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until(happened, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while not happened():
        assert time.monotonic() < deadline, f"it did not happen within {limit_s} s"
        time.sleep(0.1)


def digests(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 of the files that must not differ; times are no part of them."""
    paths = sorted(path for pattern in SAME_BYTES for path in folder.glob(pattern))
    assert len(paths) >= len(SAME_BYTES), json.dumps([str(path) for path in paths])
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
