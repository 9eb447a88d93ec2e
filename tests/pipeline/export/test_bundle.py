"""Exported bundles: what PyTorch computes, and the shipped graphs are those of the shipped bundle."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.formats.onnx import PROVIDERS, providers_of
from models.generation.request import Request
from models.motion.emotions import CORE8, emotion_weights
from pipeline.components.bundle import BundleError, bundle_digest, load_bundle, read_config, save_bundle
from pipeline.components.graphs import GRAPHS, check_graphs, graph_generator
from pipeline.components.model import load_head
from pipeline.core.data_params import Speech
from pipeline.core.paths import SHIPPED
from pipeline.export.bundle import TOLERANCE, differences, export_bundle, export_model
from tests.needs import weight
from tests.pipeline.components.test_bundle import config
from tests.training.toy import SPEECH_DIM, K, model, shape, statistics

WHISPER = {"kind": "whisper", "checkpoint": None, "layer": 1, "piece_s": 10.0, "overlap_s": 2.0}


def toy(folder, half=False, **changes):
    weight("whisper_tiny_en")
    network = model(num_emotions=8, **changes)
    for block in network.emotion.blocks:  # as if trained: emotion has an effect
        torch.nn.init.normal_(block.modulation[1].weight, std=1.0)
    save_bundle(folder, config(speech=WHISPER, model=shape(num_emotions=8, **changes)), network.state_dict(),
                statistics(), half)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("norm", "half"), [("batch", False), ("group", True)])
def test_graphs_compute_what_pytorch_does_for_any_number_of_clips_and_frames(tmp_path, norm, half):
    bundle = toy(tmp_path / "bundle", half, **({} if norm == "batch" else {"dim": 16}), conv_norm=norm)
    found = export_bundle(bundle, tmp_path / "out")
    assert set(found) == {"speech", *(solver + with_ for solver in ("ddim", "ddpm", "dpmpp")
                                      for with_ in ("", " with emotion"))}
    assert max(found.values()) < TOLERANCE
    ours, theirs = graph_generator(tmp_path / "out", "cpu"), load_bundle(bundle).generator("cpu")
    random = np.random.default_rng(0)
    asked = [Request(random.standard_normal((frames, SPEECH_DIM), np.float32), np.full((K, 3), 0.3, np.float32),
                     np.zeros(7), emotion_weights({"sad": 1.0}, CORE8), seed=frames) for frames in (1, 9, 30)]
    for got, wanted in zip(ours.generate_batch(asked), theirs.generate_batch(asked), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)
    assert np.abs(ours.generate(asked[2]) - ours.generate(replace(asked[2], emotion=None))).max() > 1e-2
    weights = (tmp_path / "out" / "model.safetensors").stat().st_size
    assert (tmp_path / "out" / "branches.onnx").read_bytes().count(b"model.safetensors") > 20 and weights > 10_000


@pytest.mark.slow
def test_the_shipped_graphs_are_those_of_the_shipped_bundle():
    weight("whisper_tiny_en")
    described = json.loads((SHIPPED / GRAPHS).read_text())
    assert described["bundle"] == bundle_digest(SHIPPED), "make them anew: playmate.ship, or playmate export"
    shipped = read_config(SHIPPED)
    assert max(differences(SHIPPED, shipped, Speech(**shipped.speech)).values()) < TOLERANCE
    graphs = sum(path.stat().st_size for path in SHIPPED.glob("*.onnx"))
    assert graphs < 500_000  # they hold no weights


def test_graphs_of_another_bundle_are_refused(tmp_path):
    shutil.copytree(SHIPPED, tmp_path / "model")
    check_graphs(tmp_path / "model")
    changed = json.loads((tmp_path / "model" / "bundle.json").read_text()) | {"profile": "another"}
    (tmp_path / "model" / "bundle.json").write_text(json.dumps(changed))
    with pytest.raises(BundleError, match=r"another bundle; `playmate export"):
        graph_generator(tmp_path / "model", "cpu")


def test_what_cannot_be_exported_or_run_is_named(tmp_path):
    with pytest.raises(BundleError, match="this folder is no model bundle"):
        export_model(tmp_path / "nothing", tmp_path / "out")
    with pytest.raises(ValueError, match="unknown provider 'npu': accepted are cpu, cuda, tensorrt"):
        providers_of("npu")
    assert providers_of("cpu") == ["CPUExecutionProvider"]
    with pytest.raises(ValueError, match="holds no graphs; `playmate export`"):
        shutil.copytree(SHIPPED, tmp_path / "plain", ignore=shutil.ignore_patterns(GRAPHS))
        load_head(tmp_path / "plain", provider="cuda")


def test_a_provider_that_is_not_there_is_an_error(monkeypatch):
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [PROVIDERS["cpu"]])
    with pytest.raises(ValueError, match="has no CUDAExecutionProvider here: install onnxruntime-gpu"):
        providers_of("cuda")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(PROVIDERS.values()))
    assert providers_of("tensorrt") == [PROVIDERS["tensorrt"], PROVIDERS["cuda"], PROVIDERS["cpu"]]
