"""SIGKILL at any moment, also during the write of a checkpoint: the resumed run ends with the same bits."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.training.engine.kill_child import STEPS, make
from training.engine.context import PlainContext
from training.motion.learner import train

pytestmark = pytest.mark.processes

MOMENTS = np.random.default_rng(0)
WRITES = [f"{kind}:{number}" for kind in ("torn", "renaming", "renamed") for number in (1, 2, 4)]
STEPPED = [f"step:{step}" for step in (1, 4, 7)]
TIMED = [f"timer:{MOMENTS.integers(1, STEPS)}:{MOMENTS.integers(1, 30)}" for _ in range(5)]


@pytest.fixture(scope="module")
def killed(tmp_path_factory, project):
    """Folder of every scenario's run, and the exit code of its process."""
    folder = tmp_path_factory.mktemp("killed")
    child = [sys.executable, "-m", "tests.training.engine.kill_child", str(folder)]
    done = subprocess.run([*child, *WRITES, *STEPPED, *TIMED], cwd=project, capture_output=True, text=True, check=False,
                          env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    return folder, dict(line.split() for line in done.stdout.splitlines())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(make(tmp_path_factory.mktemp("whole")), PlainContext())


@pytest.mark.parametrize("scenario", WRITES + STEPPED + TIMED)
def test_killed_by_the_system_and_resumed_equals_never_killed(scenario, killed, whole):
    folder, codes = killed
    if not scenario.startswith("timer"):
        assert codes[scenario] == "-9"
    torch.manual_seed(999)
    resumed = train(make(folder / scenario), PlainContext())
    assert resumed["history"] == whole["history"] and resumed["step"] == STEPS
    for part in ("model", "weights", "ema"):
        assert all(torch.equal(whole[part][name], resumed[part][name]) for name in whole[part]), part
    for part, tensors in whole["optimiser"].items():
        assert all(torch.equal(a, b) for a, b in zip(tensors, resumed["optimiser"][part], strict=True)), part
