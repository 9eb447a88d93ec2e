from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.training.toy import clips, job, model
from training.context import PlainContext
from training.jobs import with_emotion
from training.loop import TrainingStopped, train


class Killed(Exception):
    pass


def kill_at(step):
    def on_step(reached):
        if reached == step:
            raise Killed
    return on_step


def stage_two(folder, **optimiser):
    return job(folder, with_emotion(model(), 8), clips(emotion=True), **optimiser)


@pytest.mark.parametrize("stage", ["audio", "emotion"])
@pytest.mark.parametrize("step", [1, 3, 5])
def test_killed_and_resumed_equals_never_killed_bit_for_bit(tmp_path, stage, step):
    def make(folder):
        if stage == "emotion":
            return stage_two(folder)
        return job(folder, model(dropout=0.2), clips())

    whole = train(make(tmp_path / "a"), PlainContext())
    broken = make(tmp_path / "b")
    broken.on_step = kill_at(step)
    with pytest.raises(Killed):
        train(broken, PlainContext())
    torch.manual_seed(999)  # another process begins with another state of the generator
    resumed = train(make(tmp_path / "b"), PlainContext())
    assert resumed["history"] == whole["history"]
    for part in ("model", "weights", "ema"):
        assert all(torch.equal(whole[part][name], resumed[part][name]) for name in whole[part]), part


def test_training_again_only_reads_the_result(tmp_path):
    train(job(tmp_path, model(), clips()), PlainContext())
    again = job(tmp_path, model(seed=5), clips())
    again.on_step = kill_at(1)
    assert train(again, PlainContext())["step"] == 6


def test_stage_two_touches_no_parameter_of_stage_one(tmp_path):
    made = stage_two(tmp_path, weight_decay=0.1)
    before = {name: value.clone() for name, value in made.model.state_dict().items()}
    after = train(made, PlainContext())["weights"]
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith("emotion.") for name in changed)
    trained = {name for name, p in made.model.named_parameters() if p.requires_grad}
    assert changed == trained


def test_frozen_batch_norm_keeps_its_statistics(tmp_path):
    made = job(tmp_path, with_emotion(model(conv_norm="batch"), 8), clips(emotion=True))
    norm = made.model.conformer[0].convolution.norm.norm
    mean = norm.running_mean.clone()
    train(made, PlainContext())
    assert torch.equal(norm.running_mean, mean)


def test_loss_falls_and_history_says_so(tmp_path):
    rows = []
    made = job(tmp_path, model(), clips(8), steps=60, lr=5e-3, log_every=20, validate_every=30)
    train(made, PlainContext(report=rows.append))
    assert [row["step"] for row in rows] == [1, 20, 40, 60]
    assert rows[-1]["loss_expression"] < 0.7 * rows[0]["loss_expression"]
    assert "validation_loss" in rows[-1] and "validation_loss" not in rows[1]


def test_a_loss_that_is_not_finite_stops_before_the_step_and_names_the_clips(tmp_path):
    data = clips()
    bad = np.array(data[2].motion)
    bad[:] = np.nan
    data[2] = replace(data[2], motion=bad)
    made = job(tmp_path, model(), data)
    with pytest.raises(TrainingStopped, match=r"before step \d+: clips clip2 have a loss that is not finite"):
        train(made, PlainContext())
    assert all(torch.isfinite(p).all() for p in made.model.parameters())


def test_bf16_trains(tmp_path):
    state = train(job(tmp_path, model(), clips(), precision="bf16"), PlainContext())
    assert all(value.dtype == torch.float32 for value in state["ema"].values())
    assert np.isfinite(state["history"][-1]["loss"])
