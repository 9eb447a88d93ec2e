import json
import tomllib
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.generation.request import Request, SampleSettings
from models.motion.emotions import CORE8, emotion_weights
from pipeline.components.bundle import (
    BundleConfig,
    BundleError,
    bundle_digest,
    load_bundle,
    save_bundle,
)
from tests.training.toy import SPEECH_DIM, K, model, shape, statistics


def config(**changes) -> BundleConfig:
    diffusion = {"steps": 50, "schedule": "cosine", "target": "x0", "previous_noise_t_max": 5,
                 "previous_noise_form": "sqrt"}
    values = {"stage": "emotion", "profile": "toy", "model": shape(num_emotions=8), "diffusion": diffusion,
              "speech": {"kind": "whisper"}, "face_space": "landmark",
              "sample": SampleSettings("ddim", 3, 1.5, 1.5, 10.0, 2, 3.0, 1.0, 1.0, 1),
              "labels": CORE8, "fingerprints": {"code": "abc"}}
    return BundleConfig(**{**values, **changes})


@pytest.fixture
def saved(tmp_path):
    network = model(num_emotions=8)
    save_bundle(tmp_path / "bundle", config(), network.state_dict(), statistics())
    return tmp_path / "bundle", network


def test_everything_comes_back(saved):
    folder, network = saved
    bundle = load_bundle(folder)
    assert bundle.config == config()
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in bundle.model.state_dict().items())
    loaded = bundle.statistics.tensors()
    assert all(np.array_equal(value, loaded[name]) for name, value in statistics().tensors().items())


def test_it_generates_without_anything_else(saved):
    speech = np.zeros((10, SPEECH_DIM), np.float32)
    request = Request(speech, np.zeros((K, 3), np.float32), np.zeros(7), emotion_weights({"happy": 1}, CORE8))
    assert np.isfinite(load_bundle(saved[0]).generator().generate(request)).all()


def test_same_content_same_bytes(saved, tmp_path):
    save_bundle(tmp_path / "again", config(), saved[1].state_dict(), statistics())
    assert bundle_digest(saved[0]) == bundle_digest(tmp_path / "again")


def test_half_precision_is_smaller_and_close(saved, tmp_path):
    save_bundle(tmp_path / "half", config(), saved[1].state_dict(), statistics(), half=True)
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (tmp_path / "half", saved[0])]
    assert sizes[0] < 0.65 * sizes[1]
    half = load_bundle(tmp_path / "half")
    assert half.model.pose_mlp[0].weight.dtype == torch.float32
    torch.testing.assert_close(half.model.pose_mlp[0].weight, saved[1].pose_mlp[0].weight, rtol=1e-3, atol=1e-4)
    assert np.array_equal(half.statistics.expression.std, statistics().expression.std)


def edit(folder, change):
    values = json.loads((folder / "bundle.json").read_text())
    change(values)
    (folder / "bundle.json").write_text(json.dumps(values))


@pytest.mark.parametrize(("change", "message"), [
    (lambda v: v.update(version=5), "version 5, this code reads 1, 2, 3, 4"),
    (lambda v: v.pop("labels"), "missing keys.*labels"),
    (lambda v: v["model"].update(colour="red"), "unknown keys.*colour"),
    (lambda v: v["model"].update(dim=32), r"wrong shape: audio.*out.bias is \[16\], not \[32\].*that of bundle.json"),
    (lambda v: v["model"].update(num_emotions=0), "unexpected: emotion.blocks.0"),
    (lambda v: v["model"].update(layers=2), "missing: conformer.1"),
])
def test_what_does_not_fit_is_named(saved, change, message):
    edit(saved[0], change)
    with pytest.raises(BundleError, match=message):
        load_bundle(saved[0])


def test_a_bundle_of_version_1_has_no_limit_for_faces(saved):
    def to_version_1(values):
        values.update(version=1)
        del values["playmate"]
        for added in ("identity_limit", "pose_share", "pose_gain", "expression_samples"):
            del values["sample"][added]

    edit(saved[0], to_version_1)
    sample = load_bundle(saved[0]).config.sample
    assert sample.identity_limit == np.inf and sample.pose_share == 1 and sample.expression_samples == 1


def test_a_bundle_of_version_3_takes_one_sample(saved):
    def to_version_3(values):
        values.update(version=3)
        del values["sample"]["expression_samples"], values["sample"]["pose_gain"]

    before = load_bundle(saved[0]).config
    edit(saved[0], to_version_3)
    as_it_was = replace(before.sample, expression_samples=1, pose_gain=1.0)
    assert load_bundle(saved[0]).config == replace(before, sample=as_it_was)


def test_a_bundle_names_the_playmate_that_wrote_it(saved, project):
    declared = tomllib.loads((project / "pyproject.toml").read_text())["project"]["version"]
    assert json.loads((saved[0] / "bundle.json").read_text())["playmate"] == declared


def test_damaged_or_absent_files_are_named(saved, tmp_path):
    with pytest.raises(BundleError, match="no model bundle"):
        load_bundle(tmp_path)
    weights = saved[0] / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    with pytest.raises(BundleError, match=r"model.safetensors cannot be read"):
        load_bundle(saved[0])
    weights.unlink()
    with pytest.raises(BundleError, match=r"model.safetensors cannot be read"):
        load_bundle(saved[0])


def test_weights_that_are_not_finite_are_refused(tmp_path):
    network = model(num_emotions=8)
    with torch.no_grad():
        network.pose_mlp[0].bias[0] = float("nan")
    save_bundle(tmp_path, config(), network.state_dict(), statistics())
    with pytest.raises(BundleError, match=r"not finite: pose_mlp.0.bias"):
        load_bundle(tmp_path)
