"""Wav2Vec2 and HuBERT from a local folder, with random weights of a small network."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.speech.huggingface import HuggingFaceSpeechEncoder, normalised


@pytest.fixture(scope="module", params=["wav2vec2", "hubert"])
def folder(request, tmp_path_factory):
    import torch
    from transformers import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    config_type, model_type = {"wav2vec2": (Wav2Vec2Config, Wav2Vec2Model), "hubert": (HubertConfig, HubertModel)}[
        request.param]
    config = config_type(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
                         conv_dim=(16,) * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4,
                         feat_extract_norm="layer", do_stable_layer_norm=True)
    path = tmp_path_factory.mktemp(request.param)
    model_type(config).save_pretrained(path)
    return path


def test_frames_and_width(folder):
    encoder = HuggingFaceSpeechEncoder(folder, layer=2, piece_s=20.0, overlap_s=2.0)
    features = encoder.encode(np.random.default_rng(0).normal(size=40000).astype(np.float32), 75)
    assert features.shape == (75, encoder.dim) == (75, 32)
    assert encoder.name == json.loads((folder / "config.json").read_text())["model_type"]


def test_loudness_does_not_matter(folder):
    encoder = HuggingFaceSpeechEncoder(folder, layer=2, piece_s=20.0, overlap_s=2.0)
    speech = np.random.default_rng(1).normal(size=32000).astype(np.float32)
    np.testing.assert_allclose(encoder.encode(speech, 50), encoder.encode(0.1 * speech, 50), atol=1e-4)


def test_pieces_of_its_convolutions_are_the_whole_exactly(folder):
    """Layer 0 sees a bounded stretch of speech: inside the pieces nothing may change."""
    speech = np.random.default_rng(2).normal(size=16000 * 6).astype(np.float32)
    whole = HuggingFaceSpeechEncoder(folder, 0, piece_s=20.0, overlap_s=2.0).encode(speech, 150)
    pieces = HuggingFaceSpeechEncoder(folder, 0, piece_s=4.0, overlap_s=1.0).encode(speech, 150)
    np.testing.assert_allclose(pieces[:60], whole[:60], atol=1e-5)
    np.testing.assert_allclose(pieces[90:], whole[90:], atol=1e-5)
    assert np.abs(pieces - whole).max() < 0.3 * whole.std()


def test_normalisation_by_hand():
    np.testing.assert_allclose(normalised(np.array([1.0, 3.0])), [-1.0, 1.0], atol=1e-6)


def test_a_folder_without_a_network_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no config\.json"):
        HuggingFaceSpeechEncoder(tmp_path, 0, 20.0, 2.0)


def test_another_network_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="holds 'bert'"):
        HuggingFaceSpeechEncoder(tmp_path, 0, 20.0, 2.0)
