"""Several workers: the same global batches, the same weights but for rounding, also when their number changes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from tests.training.workers import make
from training.context import PlainContext
from training.loop import train


def run(project, folder, workers):
    done = subprocess.run([sys.executable, "-m", "tests.training.workers", str(folder), str(workers)], cwd=project,
                          env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def alike(first, second):
    for part in ("weights", "ema"):
        for name, value in first[part].items():
            torch.testing.assert_close(second[part][name], value, rtol=1e-3, atol=1e-5)
    for one, other in zip(first["history"], second["history"], strict=True):
        assert one.keys() == other.keys()
        for name in ("loss", "loss_expression", "grad_norm", "loss_noise_0", "validation_loss"):
            assert name not in one or other[name] == pytest.approx(one[name], rel=1e-3), name


def test_workers_with_unequal_shares_equal_one_process_and_may_change_in_number(tmp_path, project):
    alone = train(make(tmp_path / "alone"), PlainContext())
    (tmp_path / "two").mkdir()
    run(project, tmp_path / "two", 2)
    together = make(tmp_path / "two").checkpoints
    alike(alone, together.load_latest())
    together.storage.delete("run/checkpoints/step_00000005.pt")  # as if both were lost after step 4
    alike(alone, train(make(tmp_path / "two"), PlainContext()))  # and one goes on
