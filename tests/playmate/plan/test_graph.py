"""The table of the whole graph: numbers that can be checked by hand."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from models.transformer.motion_transformer import MotionTransformer
from pipeline.core.paths import CROPS
from playmate.main import app
from playmate.plan import graph as module
from playmate.plan.counted import StepCost, _shape, audio_step, emotion_step
from playmate.plan.graph import dvc_copies, plan_graph
from playmate.profile import apply, params_with

TOY = {"dim": 32, "layers": 1, "window": 25, "previous": 5}


@pytest.fixture
def toy(params):
    return params(model=TOY)


def test_memory_and_the_batch_that_fits_by_hand():
    step = StepCost(gflop=1.0, activations_mb=100.0, weights_gb=2.0, parameters=10**8)
    assert step.memory_gb(30) == pytest.approx(5.0)
    assert step.fits(12.0) == 100 and step.fits(1.0) == 0


@pytest.mark.slow
def test_counted_weights_are_the_models(toy):
    """20 bytes of a trained weight, 4 of a frozen one; beside them a few constants that are kept once, below 1 MB."""
    stage_one = sum(p.numel() for p in MotionTransformer(_shape(toy, 0)).parameters())
    joint = MotionTransformer(_shape(toy, 8))
    count, frozen = (sum(p.numel() for p in parameters)
                     for parameters in (joint.parameters(), joint.stage_one_parameters()))
    assert audio_step(toy).parameters == stage_one
    assert 0 <= audio_step(toy).weights_gb - stage_one * 20 / 1e9 < 1e-3
    assert 0 <= emotion_step(toy).weights_gb - ((count - frozen) * 20 + frozen * 4) / 1e9 < 1e-3
    assert emotion_step(toy).activations_mb < audio_step(toy).activations_mb   # the frozen part keeps nothing


@pytest.mark.slow
def test_activations_and_operations_grow_with_the_window_and_halves_take_less(params):
    short, long = (audio_step(params(model=TOY | {"window": window})) for window in (25, 55))   # with 5 before: 30, 60
    assert 1.9 < long.activations_mb / short.activations_mb < 2.3
    assert 1.9 < long.gflop / short.gflop < 2.3
    half = audio_step(params(model=TOY | {"window": 55}, train_audio={"precision": "bf16"}))
    assert half.activations_mb < 0.9 * long.activations_mb and half.gflop == long.gflop
    casts_gb = 2 * long.parameters / 1e9   # bf16 copies of matrices, whatever the batch
    assert 0.2 * casts_gb < half.weights_gb - long.weights_gb < casts_gb


@pytest.mark.slow
def test_a_training_asks_and_lasts_as_its_figures_say(toy, monkeypatch):
    rows = {row.stage: row for row in plan_graph(toy).stages}
    section, step = toy.train_audio, audio_step(toy)
    row = rows["train_audio"]
    assert row.gpus == 0 and row.gpu_gb is None
    seconds = section.steps * section.batch * step.gflop / (75.0 * min(section.trainer.workers, 2))
    monkeypatch.setattr(module.os, "cpu_count", lambda: 2)
    again = {row.stage: row for row in plan_graph(toy).stages}["train_audio"]
    assert again.hours == pytest.approx(seconds / 3600)
    assert set(rows) >= {"corpora", "preprocess", "face_space", "extract", "train_audio", "train_emotion", "evaluate",
                         "ablate"}


@pytest.mark.slow
def test_the_papers_profile_asks_for_its_gpus_and_their_memory(folder):
    apply("paper")
    rows = {row.stage: row for row in plan_graph(params_with("paper")).stages}
    audio = rows["train_audio"]
    assert (audio.gpus, audio.cores) == (4, 4)
    assert 5 < audio.gpu_gb < 20 and audio.fits > 512
    assert rows["face_space"].gpu_gb == pytest.approx(2 * 4.6)   # 8 pairs on 4 GPUs
    assert rows["train_emotion"].gpu_gb < audio.gpu_gb


def test_disk_counts_dvcs_copy_only_where_it_makes_one(folder, toy, monkeypatch):
    frames = 1000
    monkeypatch.setattr(module, "amounts", lambda params: {"mead": module.Amount(1, frames, "kept")})
    assert dvc_copies() == 0
    linked = {row.stage: row.disk_gb for row in plan_graph(toy).stages}
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n")
    assert dvc_copies() == 1
    copied = {row.stage: row.disk_gb for row in plan_graph(toy).stages}
    assert linked["preprocess"] == pytest.approx(frames * (2534 + 1280) / 1e9)
    assert copied["preprocess"] == pytest.approx(2 * linked["preprocess"])
    assert linked["extract"] == pytest.approx(2 * frames * (4 * 217 + 2 * 384) / 1e9)
    assert copied["extract"] == pytest.approx(1.5 * linked["extract"])


def test_a_full_disk_is_lacking(folder, toy, monkeypatch):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10.0})())
    (lack,) = plan_graph(toy).lacks
    assert lack.kind == "disk" and "0 GB are free here" in lack.text


def test_the_command_prints_the_table_or_json(folder, toy):
    run = CliRunner()
    done = run.invoke(app, ["plan"])
    assert done.exit_code == 0 and "train_emotion" in done.output and "nothing is missing" in done.output
    told = json.loads(run.invoke(app, ["plan", "--json"]).output)
    assert told["can_succeed"] and {row["stage"] for row in told["stages"]} >= {"extract", "ablate"}
    assert not CROPS.exists()   # it made nothing
