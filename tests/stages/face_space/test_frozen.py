"""A fitted face space stays until it is asked for again; motion depends on what the extractor reads and no more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from pipeline.components.face_space import face_space_identity, motion_identity
from pipeline.core.config import parse_params
from stages.face_space import liveportrait
from stages.face_space.frozen import fit_digest, read_fit
from stages.face_space.liveportrait import freeze
from tests.chosen import change

FOLDER = Path("data/face_space")
UNTRAINED = {"kind": "liveportrait", "checkpoint": "untrained"}


@pytest.fixture
def params(project, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def params(tune: dict | None = None, **face_space):
        values = yaml.safe_load((project / "params.yaml").read_text())
        values["face_space"] |= face_space
        change(values["face_space"]["tune"], tune or {})
        return parse_params(values)

    return params


def test_asking_is_for_the_keys_of_the_fit_and_a_number_of_ones_own(params):
    landmark = fit_digest(params())
    assert fit_digest(params(precision="bf16", stitching=False, render_batch=2)) == landmark
    for key, value in (("ridge", 2.0), ("max_clips", 41), ("frame_stride", 1), ("refit", 1)):
        assert fit_digest(params(**{key: value})) != landmark, key
    released = fit_digest(params(**UNTRAINED))
    assert fit_digest(params(tune={"lr": 1.0}, **UNTRAINED)) == released   # no steps: nothing is tuned
    tuned = fit_digest(params(tune={"steps": 5}, **UNTRAINED))
    assert fit_digest(params(tune={"steps": 5, "log_every": 9, "trainer": {"workers": 2}}, **UNTRAINED)) == tuned
    for changed in ({"steps": 6}, {"lr": 1.0}):
        assert fit_digest(params(tune={"steps": 5} | changed, **UNTRAINED)) not in (tuned, released)


def test_how_the_pictures_are_made_changes_pictures_and_no_motion(params):
    freeze(params(**UNTRAINED), lambda _: None)
    pictures, motion = face_space_identity(FOLDER), motion_identity(FOLDER)
    for key, value in (("stitching", False), ("precision", "bf16"), ("render_batch", 2), ("channels_last", True)):
        freeze(params(**UNTRAINED, **{key: value}), lambda _: None)
        assert motion_identity(FOLDER) == motion, key
        assert face_space_identity(FOLDER) != pictures, key
    assert json.loads((FOLDER / "face_space.json").read_text())["runtime"]["channels_last"] is True


def test_a_tuned_space_is_tuned_once(params, monkeypatch):
    """Whatever clips have come since: `tune` is not asked again, until the user is."""
    from training.decoupling import fit

    calls: list[int] = []

    def tune(params, say):
        calls.append(1)
        weights = liveportrait.make_networks(params.face_space, params.seed).state_dict()
        first = next(name for name in weights if name.startswith("motion.") and weights[name].is_floating_point())
        return {**weights, first: weights[first] + len(calls)}, fit.TuningRecord("run", 5, "vgg", {}, {})

    monkeypatch.setattr(fit, "tune", tune)
    wanted = {"tune": {"steps": 5}, **UNTRAINED}
    said: list[str] = []
    freeze(params(**wanted), said.append)
    first = motion_identity(FOLDER)
    freeze(params(**wanted), said.append)
    freeze(params(**wanted, stitching=False), said.append)
    assert len(calls) == 1 and motion_identity(FOLDER) == first
    assert "another `face_space.refit` fits it again" in said[-1]
    freeze(params(**wanted, refit=1), said.append)
    assert len(calls) == 2 and motion_identity(FOLDER) != first


@pytest.mark.parametrize("damage", ["face_space.json", "face_space.safetensors"])
def test_half_a_bundle_is_not_taken(params, damage):
    """A run that was killed between the two files left new tensors under an old description."""
    chosen = params(**UNTRAINED)
    freeze(chosen, lambda _: None)
    assert read_fit(FOLDER, fit_digest(chosen))
    (FOLDER / damage).unlink() if damage.endswith("json") else (FOLDER / damage).write_bytes(b"new")
    assert read_fit(FOLDER, fit_digest(chosen)) is None


def test_a_bundle_of_before_is_named(params):
    freeze(params(**UNTRAINED), lambda _: None)
    described = json.loads((FOLDER / "face_space.json").read_text())
    del described["motion"]
    (FOLDER / "face_space.json").write_text(json.dumps(described))
    with pytest.raises(FileNotFoundError, match="older code: run `dvc repro face_space`"):
        motion_identity(FOLDER)
