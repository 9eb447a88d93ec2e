"""Several workers: the same global batches, the same weights but for rounding, also when their number changes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
import torch

from tests.training.toy import model
from tests.training.workers import make
from training.engine.context import PlainContext
from training.engine.optimiser import AdamW
from training.motion.learner import train

pytestmark = pytest.mark.processes


def run(project, folder, workers, kind):
    done = subprocess.run([sys.executable, "-m", "tests.training.workers", str(folder), str(workers), kind],
                          cwd=project, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def alike(first, second):
    for part in ("weights", "ema", "model"):
        for name, value in first[part].items():
            torch.testing.assert_close(second[part][name], value, rtol=1e-3, atol=1e-5)
    for name, tensors in first["optimiser"].items():
        for one, other in zip(tensors, second["optimiser"][name], strict=True):
            torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-5)
    for one, other in zip(first["history"], second["history"], strict=True):
        assert one.keys() == other.keys()
        for name in ("loss", "loss_expression", "grad_norm", "loss_noise_0", "validation_loss"):
            assert name not in one or other[name] == pytest.approx(one[name], rel=1e-3), name


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    return folder, {stage: train(make(folder, stage), PlainContext()) for stage in ("audio", "emotion")}


def goes_on_alone(folder, stage="audio"):
    """As if all workers were lost after step 4 and one went on."""
    store = make(folder, stage).checkpoints
    store.storage.delete("run/checkpoints/step_00000005.pt")
    return train(make(folder, stage), PlainContext())


def test_workers_with_unequal_shares_equal_one_process_and_may_change_in_number(tmp_path, project, alone):
    run(project, tmp_path, 2, "whole")
    alike(alone[1]["audio"], make(tmp_path).checkpoints.load_latest())
    alike(alone[1]["audio"], goes_on_alone(tmp_path))


@pytest.mark.slow
def test_weights_that_are_shared_out_end_the_same_and_change_hands_both_ways(tmp_path, project, alone):
    """Stage 1 from its beginning, in three parts of which some are empty; stage 2 from a whole checkpoint of step 4."""
    folder, states = alone
    shutil.copytree(folder / "emotion", tmp_path / "emotion")
    make(tmp_path, "emotion").checkpoints.storage.delete("run/checkpoints/step_00000005.pt")
    steps = run(project, tmp_path, 3, "sharded").splitlines()
    assert sorted(steps) == sorted(3 * [f"step {step}" for step in (1, 2, 3, 4, 5, 5)])
    for stage, state in states.items():
        alike(state, make(tmp_path, stage).checkpoints.load_latest())
        alike(state, goes_on_alone(tmp_path, stage))
    best, expected = (make(place).checkpoints.load_best() for place in (tmp_path, folder))
    assert best["step"] == expected["step"]
    for name, value in expected["model"].items():
        torch.testing.assert_close(best["model"][name], value, rtol=1e-3, atol=1e-5)


def test_workers_that_see_different_checkpoints_say_so(tmp_path, alone):
    """This one has a checkpoint of step 5, another nothing: they would wait for each other for ever."""
    shutil.copytree(alone[0] / "audio", tmp_path / "audio")
    context = PlainContext()
    context.mean = lambda values: (values + 0) / 2
    with pytest.raises(RuntimeError, match="worker 0 found a checkpoint of step 5, another one did not"):
        train(make(tmp_path), context)


def test_a_state_of_another_shape_is_refused():
    state = AdamW(list(model(dim=32).parameters()), 0.0).state_dict()
    with pytest.raises(ValueError, match="cannot be written"):
        AdamW(list(model().parameters()), 0.0).load_state_dict(state)
