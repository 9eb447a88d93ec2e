"""Whisper's encoder: against transformers with random weights, and the real weights on real speech."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch

from models.speech.log_mel import log_mel, mel_filters
from models.speech.whisper import WhisperSpeechEncoder
from models.speech.whisper_network import WhisperEncoder, load_network
from tests.needs import weight


@pytest.fixture(scope="module")
def weights():
    return weight("whisper_tiny_en")


@pytest.fixture(scope="module")
def speech(media):
    return soundfile.read(media / "talking" / "styletalk_Obama_clip1.wav", dtype="float32")[0]


def test_mel_bands_have_unit_area_and_slaneys_edges():
    filters = mel_filters()
    np.testing.assert_allclose(filters.sum(1)[40:] * 40.0, 1.0, atol=0.1)  # bins of 40 Hz; low bands are narrower
    edge_mels = np.linspace(0, 15 + np.log(8) * 27 / np.log(6.4), 82)
    assert edge_mels[25] < 15 < edge_mels[27]  # linear below: 200 / 3 Hz a mel
    centre_hz = filters[20].argmax() * 40
    assert centre_hz == pytest.approx(edge_mels[21] * 200 / 3, abs=20)


def test_log_mel_is_that_of_transformers():
    from transformers import WhisperFeatureExtractor

    waveform = np.random.default_rng(0).normal(size=16000 * 30).astype(np.float32) * np.linspace(0, 0.1, 480000,
                                                                                               dtype=np.float32)
    theirs = WhisperFeatureExtractor()(waveform, sampling_rate=16000, return_tensors="np").input_features[0]
    np.testing.assert_allclose(log_mel(waveform), theirs, atol=2e-4)


def test_the_encoder_is_that_of_transformers():
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder as Theirs

    torch.manual_seed(0)
    theirs = Theirs(WhisperConfig(d_model=16, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=64)).eval()
    ours = WhisperEncoder(dim=16, layers=2, heads=2).eval()
    ours.load_state_dict(_renamed(theirs.state_dict(), layers=2))
    mel = torch.randn(1, 80, 3000)
    with torch.inference_mode():
        states = theirs(mel, output_hidden_states=True).hidden_states
        for layer in range(3):
            torch.testing.assert_close(ours(mel, layer), states[layer], rtol=1e-4, atol=1e-5)


def _renamed(state: dict[str, torch.Tensor], layers: int) -> dict[str, torch.Tensor]:
    names = {"self_attn_layer_norm": "norm1", "final_layer_norm": "norm2", "fc1": "up", "fc2": "down",
             "self_attn.out_proj": "out", "embed_positions.weight": "positions"}
    found = {}
    for name, value in state.items():
        if "_proj" in name and "out_proj" not in name:
            continue
        for theirs, ours in names.items():
            name = name.replace(theirs, ours)  # noqa: PLW2901
        found[name.replace("layer_norm", "norm")] = value
    for i in range(layers):
        for kind in ("weight", "bias"):
            parts = [state.get(f"layers.{i}.self_attn.{p}_proj.{kind}", torch.zeros(16)) for p in "qkv"]
            found[f"layers.{i}.qkv.{kind}"] = torch.cat(parts)
    return found


def test_real_weights_load_whole(weights):
    network = load_network(weights)
    assert (len(network.layers), network.positions.shape) == (4, (1500, 384))
    assert float(network.positions[0, 0]) == 0.0 and float(network.positions[0, 192]) == 1.0  # sin 0, cos 0


@pytest.mark.media
def test_pieces_are_the_whole_within_the_stated_tolerance(weights, speech):
    whole = WhisperSpeechEncoder(weights, layer=2, piece_s=30.0, overlap_s=2.0).encode(speech, 500)
    pieces = WhisperSpeechEncoder(weights, layer=2, piece_s=10.0, overlap_s=2.0).encode(speech, 500)
    assert whole.shape == (500, 384) and whole.dtype == np.float32
    error = np.sqrt(((pieces - whole) ** 2).mean() / whole.var(0).mean())
    assert error < 0.2


@pytest.mark.media
def test_speech_may_be_longer_than_whispers_positions(weights, speech):
    long = np.concatenate([speech, speech])
    assert WhisperSpeechEncoder(weights, 2, 30.0, 2.0).encode(long, 1000).shape == (1000, 384)


@pytest.mark.media
def test_features_move_with_the_speech(weights, speech):
    """Speech that comes 10 frames later gives features that come 10 frames later, not 9 or 11."""
    encoder = WhisperSpeechEncoder(weights, layer=2, piece_s=30.0, overlap_s=2.0)
    first, later = encoder.encode(speech, 100), encoder.encode(np.pad(speech, (6400, 0)), 110)
    scores = {lag: float((_unit(first[20:80]) * _unit(later[20 + lag:80 + lag])).mean()) for lag in range(7, 14)}
    assert max(scores, key=scores.get) == 10


def _unit(features: np.ndarray) -> np.ndarray:
    return (features - features.mean(0)) / features.std(0)


def test_a_layer_that_is_not_there_is_refused(weights):
    with pytest.raises(ValueError, match="hidden states 0 to 4"):
        WhisperSpeechEncoder(weights, layer=5, piece_s=30.0, overlap_s=2.0)


def test_with_a_fixed_ceiling_a_piece_has_the_values_of_the_whole():
    """Windows that lie in the piece: away from its reflected edges."""
    waveform = np.random.default_rng(0).normal(size=32000).astype(np.float32) * np.geomspace(1e-6, 1, 32000, dtype="f4")
    whole, piece = log_mel(waveform, 1.4), log_mel(waveform[:16000], 1.4)
    np.testing.assert_allclose(piece[:, :95], whole[:, :95], rtol=0, atol=1e-6)
    assert float(log_mel(np.zeros(1600, np.float32), 1.4).max()) == pytest.approx((1.4 - 8 + 4) / 4)
    assert not np.allclose(log_mel(waveform)[:, :95], log_mel(waveform[:16000])[:, :95])
