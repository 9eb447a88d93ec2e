"""Exported speech encoders against PyTorch's, whole and in pieces; Whisper's is in test_bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from models.speech.huggingface import TOY
from pipeline.components.graphs import graph_speech_encoder
from pipeline.core.data_params import UNTRAINED, Speech
from pipeline.export.bundle import TOLERANCE
from pipeline.export.speech import exact_encoder, write_speech

pytestmark = pytest.mark.slow


def louder(frames: int) -> np.ndarray:
    """Noise that grows ten times louder: its parts differ much from the whole."""
    noise = np.random.default_rng(0).standard_normal(640 * frames) * np.linspace(0.01, 0.1, 640 * frames)
    return noise.astype(np.float32)


def deviations(section: Speech, folder: Path, frames: int) -> float:
    encoders = graph_speech_encoder(folder, section, "cpu"), exact_encoder(section)
    assert encoders[0].dim == encoders[1].dim == 32 and encoders[0].name == encoders[1].name
    ours, theirs = (encoder.encode(louder(frames), frames) for encoder in encoders)
    assert ours.shape == theirs.shape == (frames, 32) and ours.dtype == np.float32
    return float((np.abs(ours - theirs).max(0) / theirs.std(0)).max())


@pytest.mark.parametrize(("kind", "layer"), [("wav2vec2", 0), ("wav2vec2", 2), ("hubert", 1)])
def test_group_normed_networks(tmp_path, kind, layer):
    """Of 10 s in pieces of 4: the group norm is that of the whole."""
    section = Speech(kind=kind, checkpoint=UNTRAINED, layer=layer, piece_s=4.0, overlap_s=1.0)
    write_speech(tmp_path, section)
    assert deviations(section, tmp_path, 250) < TOLERANCE
    assert deviations(section, tmp_path, 3) < TOLERANCE
    graph = onnx.load(tmp_path / "speech.onnx", load_external_data=False).graph
    assert len(graph.initializer) > 10
    assert {one.data_location for one in graph.initializer} == {onnx.TensorProto.EXTERNAL}
    names = (tmp_path / "speech.safetensors").read_bytes()[:20000]
    assert (b"encoder.layers.1." in names) == (layer == 2)   # what lies behind the state is left out


@pytest.mark.parametrize("layer", [1, 2])
def test_layer_normed_networks_from_a_folder(tmp_path, layer):
    """As the large ones are: no norm over time, and another one behind the last layer alone."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    folder = tmp_path / "checkpoint"
    Wav2Vec2Model(Wav2Vec2Config(**TOY, feat_extract_norm="layer", do_stable_layer_norm=True,
                                 conv_bias=True)).save_pretrained(folder)
    section = Speech(kind="wav2vec2", checkpoint=str(folder), layer=layer, piece_s=4.0, overlap_s=1.0)
    write_speech(tmp_path, section)
    assert deviations(section, tmp_path, 150) < TOLERANCE
