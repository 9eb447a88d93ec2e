"""A run goes on though something was changed: what changes no step by itself, all else where the user says so."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
import yaml

from pipeline.core.config import ParamsError, load_params
from pipeline.storage import open_storage
from stages import statistics, train_audio
from tests.training.toy import Untracked, make_project
from training.engine.checkpoint import CheckpointStore
from training.engine.going_on import CannotGoOn, changes, differences
from training.engine.loop import State
from training.motion import fit

RUNS = ".playmate/training"


class Killed(RuntimeError):
    pass


@pytest.fixture
def tags(tmp_path, monkeypatch, project) -> list[dict]:
    """The toy project, run in this process; the tags of every record."""
    make_project(tmp_path, project, workers=0)
    monkeypatch.chdir(tmp_path)
    found: list[dict] = []
    monkeypatch.setattr("training.engine.worker.tracked_run",
                        lambda experiment, params, run, data, prints: found.append(prints) or nullcontext(Untracked()))
    statistics.main(lambda text: None)
    change(checkpoint_every=1, steps=4)
    return found


def change(**values) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    for name, value in values.items():
        section = params["train_audio"]
        (section if name in section else section["trainer"])[name] = value
    Path("params.yaml").write_text(yaml.safe_dump(params))


def run(until: int | None = None, monkeypatch=None) -> list[str]:
    """Train; `until`: killed after that step."""
    said: list[str] = []
    with (monkeypatch or pytest.MonkeyPatch()).context() as patch:
        if until:
            train = fit.train

            def killed(job, context):
                def stop(step: int) -> None:
                    if step == until:
                        raise Killed
                job.on_step = stop
                return train(job, context)

            patch.setattr(fit, "train", killed)
        try:
            train_audio.main(said.append)
        except Killed:
            assert until
    return said


def name_of() -> str:
    stage = train_audio.Stage("audio", train_audio.audio_job, train_audio.AUDIO_MODEL)
    return fit.stage_plan(stage, load_params()).name


def state_of(name: str) -> State:
    state = CheckpointStore(open_storage(RUNS), name).load_latest()
    assert state is not None
    return state


def test_what_changes_no_step_goes_on_and_is_stated(tags, monkeypatch):
    before = name_of()
    run(until=2, monkeypatch=monkeypatch)
    change(accumulate=2, log_every=2, validate_every=4)
    said = run()
    assert name_of() == before
    words = f"goes on from step 2 of run {before} with train.accumulate: 1 -> 2"
    assert any(words in line and "train.validate_every" in line for line in said)
    [row] = changes(open_storage(RUNS), before)
    assert row["step"] == 2 and "train.accumulate: 1 -> 2" in row["differences"]
    assert "changed_1" not in tags[0] and words in tags[1]["changed_1"]
    state = state_of(before)
    assert state["step"] == 4 and {float(steps) for steps in state["optimiser"]["steps"]} == {4.0}   # not begun anew
    assert not any("goes on" in line for line in run())   # finished: nothing to say


def test_more_steps_are_asked_for_by_the_runs_name(tags):
    run()
    first = name_of()
    change(steps=6)
    assert name_of() != first   # else a sweep over steps would train on what it had
    change(resume=first)
    said = run()
    assert any(f"goes on from step 4 of run {first} with train.resume: None -> {first}, train.steps: 4 -> 6" in line
               for line in said)
    extended, old = state_of(name_of()), state_of(first)
    assert {float(steps) for steps in extended["optimiser"]["steps"]} == {6.0}
    assert extended["history"][:len(old["history"])] == old["history"]   # one curve
    assert old["step"] == 4 and json.loads(Path("data/models/audio/metrics.json").read_text())["steps"] == 6
    assert "train.steps: 4 -> 6" in tags[-1]["changed_1"]
    assert not any("goes on" in line for line in run())


def test_repaired_code_is_named_by_its_digests(tags, monkeypatch):
    run(until=3, monkeypatch=monkeypatch)
    first, code_of = name_of(), fit.fingerprints
    with monkeypatch.context() as patch:
        patch.setattr(fit, "fingerprints", lambda stage, params: code_of(stage, params) | {"code": "f" * 32})
        change(resume=first)
        said = run()
        assert state_of(name_of())["step"] == 4
    assert any("digests.code: " in line and "-> ffffffffffff" in line for line in said)


def test_going_on_gives_the_weights_of_the_run_that_never_stopped(tags, monkeypatch):
    run()
    whole, prints = state_of(name_of())["weights"], fit.fingerprints
    with monkeypatch.context() as patch:   # other code by its digest, that computes the same
        patch.setattr(fit, "fingerprints", lambda stage, params: prints(stage, params) | {"code": "f" * 32})
        run(until=2, monkeypatch=patch)
        first = name_of()
    change(resume=first)
    run()
    resumed = state_of(name_of())
    assert resumed["step"] == 4 and all(torch.equal(value, whole[name]) for name, value in resumed["weights"].items())


@pytest.mark.parametrize(("values", "words"), [
    ({"resume": "audio-" + "0" * 16}, "has no checkpoint of such a run"),
    ({}, "it has taken 4 steps and train_audio.steps is 4: raise it"),
    ({"model": {"dim": 32}, "steps": 9}, "its weights do not fit: model.dim: 16 -> 32"),
])
def test_a_run_that_cannot_go_on_says_why(tags, values, words):
    run()
    model = values.pop("model", {})
    change(**{"resume": name_of()} | values)
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["model"] |= model
    Path("params.yaml").write_text(yaml.safe_dump(params))
    with pytest.raises(CannotGoOn, match=words):
        train_audio.main(lambda _: None)


def test_a_name_that_is_none_is_refused_with_the_parameters(tags):
    change(resume="../elsewhere")
    with pytest.raises(ParamsError, match=r"train_audio\.resume"):
        load_params()


def test_differences_are_named_with_dots():
    before = {"a": 1, "train": {"lr": 0.1, "gone": True}, "digests": {"code": "a" * 32}}
    now = {"a": 1, "train": {"lr": 0.2, "new": None}, "digests": {"code": "b" * 32}}
    assert differences(before, now) == ["digests.code: aaaaaaaaaaaa -> bbbbbbbbbbbb", "train.gone: True -> None",
                                        "train.lr: 0.1 -> 0.2"]
