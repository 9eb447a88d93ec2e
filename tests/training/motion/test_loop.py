import json
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.training.toy import clips, job, model
from training.engine.context import PlainContext
from training.engine.stops import TrainingStopped
from training.motion.build import with_emotion
from training.motion.learner import train

STEPS = 6


class Killed(Exception):
    pass


def kill_at(step):
    def on_step(reached):
        if reached == step:
            raise Killed
    return on_step


def stage_two(folder, **optimiser):
    return job(folder, with_emotion(model(), 8), clips(emotion=True), **optimiser)


def make(stage, folder):
    return stage_two(folder) if stage == "emotion" else job(folder, model(dropout=0.2), clips())


def same(first, second, parts=("model", "weights", "ema")):
    return all(torch.equal(first[part][name], second[part][name]) for part in parts for name in first[part])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return {stage: train(make(stage, tmp_path_factory.mktemp(stage)), PlainContext()) for stage in ("audio", "emotion")}


@pytest.mark.parametrize("stage", ["audio", "emotion"])
@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_killed_at_any_step_and_resumed_equals_never_killed_bit_for_bit(tmp_path, undisturbed, stage, step):
    broken = make(stage, tmp_path)
    broken.on_step = kill_at(step)
    with pytest.raises(Killed):
        train(broken, PlainContext())
    torch.manual_seed(999)  # another process begins with another state of the generators
    np.random.seed(999)
    resumed = train(make(stage, tmp_path), PlainContext())
    assert resumed["history"] == undisturbed[stage]["history"]
    assert same(undisturbed[stage], resumed)


def test_a_damaged_newest_checkpoint_costs_only_its_interval(tmp_path, undisturbed, caplog):
    broken = make("audio", tmp_path)
    broken.on_step = kill_at(5)
    with pytest.raises(Killed):
        train(broken, PlainContext())
    newest = tmp_path / "run/checkpoints/step_00000004.pt"
    newest.write_bytes(newest.read_bytes()[:-100])
    reached = []
    again = make("audio", tmp_path)
    again.on_step = reached.append
    assert same(undisturbed["audio"], train(again, PlainContext()))
    assert reached == [3, 4, 5, 6] and "step_00000004.pt is damaged" in caplog.text


def test_training_again_only_reads_the_result(tmp_path):
    train(job(tmp_path, model(), clips()), PlainContext())
    again = job(tmp_path, model(seed=5), clips())
    again.on_step = kill_at(1)
    assert train(again, PlainContext())["step"] == STEPS


@pytest.mark.parametrize("changes", [{"prefetch": 0}, {"checkpoint_every": 5}])
def test_how_the_work_is_done_changes_no_bit(tmp_path, changes):
    first, second = (train(job(tmp_path / name, model(dropout=0.2), clips(), **values), PlainContext())
                     for name, values in (("a", {}), ("b", changes)))
    assert same(first, second) and first["history"] == second["history"]


@pytest.mark.parametrize("parts", [2, 3, 9])
def test_gradients_of_parts_add_up_to_those_of_the_batch(tmp_path, parts):
    first, second = (train(job(tmp_path / str(count), model(), clips(), accumulate=count, steps=3), PlainContext())
                     for count in (1, parts))
    for name, value in first["weights"].items():
        torch.testing.assert_close(second["weights"][name], value, rtol=1e-4, atol=1e-6)
    assert second["history"][0]["loss"] == pytest.approx(first["history"][0]["loss"], rel=1e-5)


def test_best_and_last_are_kept(tmp_path):
    made = job(tmp_path, model(), clips(), steps=12, validate_every=2)

    def spoil(step):
        if step == 9:
            made.model.expression_mlp[-1].bias.data += 100

    made.on_step = spoil
    state = train(made, PlainContext())
    losses = {row["step"]: row["validation_loss"] for row in state["history"] if "validation_loss" in row}
    best = made.checkpoints.load_best()
    assert best["step"] == min(losses, key=losses.get) < 12
    assert made.checkpoints.steps() == [10, 12] and not torch.equal(
        best["model"]["segment"], state["model"]["segment"])


def test_no_progress_ends_the_training_and_a_rerun_knows(tmp_path):
    def run(**changes):
        made = job(tmp_path, model(), clips(), steps=40, validate_every=1, min_improvement=0.9, stop_after=3, **changes)
        made.on_step = reached.append
        return train(made, PlainContext())

    reached = []
    state = run()
    assert state["finished"] and state["step"] == 4  # the first validation is the best; three more without progress
    assert run()["step"] == 4 and reached == [1, 2, 3, 4]


def test_checkpoints_are_written_while_the_training_goes_on(tmp_path):
    """The first write is held until step 3 is reached: it would wait for ever if the step waited for it."""
    made, reached = job(tmp_path, model(), clips(), validate_every=100), threading.Event()
    made.on_step = lambda step: reached.set() if step == 3 else None
    put = made.checkpoints.storage.put
    made.checkpoints.storage.put = lambda key, data: (reached.wait(60), put(key, data))
    train(made, PlainContext())
    assert reached.is_set() and made.checkpoints.load_latest()["step"] == STEPS


def test_a_checkpoint_that_cannot_be_written_stops_the_run(tmp_path):
    made = job(tmp_path, model(), clips())

    def full(key, data):
        raise OSError(28, "No space left on device")

    made.checkpoints.storage.put = full
    with pytest.raises(OSError, match="No space left"):
        train(made, PlainContext())


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
    assert {"grad_norm", "loss_noise_0", "loss_noise_3", "data_wait_share", "validations_since_best"} <= set(rows[0])
    assert 0 <= rows[-1]["data_wait_share"] <= 1


def test_validation_of_stage_two_asks_for_every_emotion(tmp_path):
    made = stage_two(tmp_path, steps=3)
    made.emotion_centres = {0: np.zeros(9), 3: np.ones(9), 5: -np.ones(9)}
    last = train(made, PlainContext())["history"][-1]
    assert last["validation_emotion_chance"] == pytest.approx(1 / 3)
    assert 0 <= last["validation_emotion_agreement"] <= 1 and last["validation_wrong_emotion"] > 0


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_what_is_not_finite_stops_before_the_step_with_the_clips_on_record(tmp_path, what):
    data = clips()
    if what == "loss":
        bad = np.array(data[2].motion)
        bad[:] = np.nan
        data[2] = replace(data[2], motion=bad)
        match = r"before step \d+: clips clip2 have a loss that is not finite"
    else:
        match = r"before step 1: clips clip\d.* give a gradient that is not finite"
    made = job(tmp_path, model(), data)
    if what == "gradient":
        made.model.segment.register_hook(lambda gradient: gradient / 0)
    with pytest.raises(TrainingStopped, match=match):
        train(made, PlainContext())
    assert all(torch.isfinite(p).all() for p in made.model.parameters())
    record = json.loads((tmp_path / "run/stopped/rank_00000.json").read_text())
    assert len(record["clip_ids"]) == len(record["times"]) == 4
    assert set(record["bad_clip_ids"]) == ({"clip2"} if what == "loss" else set())


def test_a_validation_that_is_not_finite_stops_the_run(tmp_path):
    made = job(tmp_path, model(), clips())
    made.validation_clips = [replace(made.clips[0], motion=np.full_like(made.clips[0].motion, np.inf))]
    with pytest.raises(TrainingStopped, match="at step 3: the validation loss is not finite"):
        train(made, PlainContext())


def test_bf16_trains(tmp_path):
    state = train(job(tmp_path, model(), clips(), precision="bf16"), PlainContext())
    assert all(value.dtype == torch.float32 for value in state["ema"].values())
    assert np.isfinite(state["history"][-1]["loss"])


@pytest.mark.nightly
def test_compiled_trains_to_nearly_the_same(tmp_path):
    plain, compiled = (train(job(tmp_path / str(on), model(), clips(), compile=on), PlainContext())
                       for on in (False, True))
    for name, value in plain["weights"].items():
        torch.testing.assert_close(compiled["weights"][name], value, rtol=1e-3, atol=1e-5)


def test_stage_two_leaves_the_pose_of_the_trained_model_bit_for_bit(tmp_path):
    made = stage_two(tmp_path, lr=0.1)
    torch.manual_seed(0)
    shape = made.model.shape
    given = [torch.randn(2, shape.window, shape.motion_dim), torch.tensor([3, 30]),
             torch.randn(2, shape.previous + shape.window, shape.speech_dim), torch.randn(2, shape.expression_dim),
             torch.randn(2, shape.previous, shape.motion_dim), torch.tensor([True, False])]
    before = made.model.eval()(*given)
    made.model.load_state_dict(train(made, PlainContext())["model"])
    after = made.model.eval()(*given, emotion=torch.eye(9)[[2, 5]][:, None])
    assert torch.equal(after[..., -7:], before[..., -7:])
    assert not torch.allclose(after[..., :-7], before[..., :-7])
    assert torch.equal(made.model(*given), before)  # without a label the module is passed by
