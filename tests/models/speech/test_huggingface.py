"""Wav2Vec2 and HuBERT from a local folder, with random weights of a small network."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.speech.huggingface import HuggingFaceSpeechEncoder, normalise


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


@pytest.fixture(scope="module", params=["layer", "group"])
def network(request):
    """With the norm of the large networks and with that of the base ones."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(1)
    return Wav2Vec2Model(Wav2Vec2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, feat_extract_norm=request.param,
        do_stable_layer_norm=request.param == "layer")).eval().requires_grad_(False)


def uneven_speech(seconds: int) -> np.ndarray:
    """Noise that grows ten times louder: pieces differ much in their own statistics."""
    count = 16000 * seconds
    return (np.random.default_rng(3).normal(size=count) * np.linspace(0.1, 1, count)).astype(np.float32)


def test_pieces_are_normalised_by_the_whole(network):
    speech = uneven_speech(12)
    whole = HuggingFaceSpeechEncoder(network, 0, piece_s=20.0, overlap_s=2.0).encode(speech, 300)
    pieces = HuggingFaceSpeechEncoder(network, 0, piece_s=4.0, overlap_s=1.0).encode(speech, 300)
    error = np.abs(pieces - whole)[[*range(60), *range(100, 130), *range(240, 300)]].max()  # away from the joints
    assert error < 2e-4 * whole.std()
    norm = network.feature_extractor.conv_layers[0].layer_norm
    assert type(norm).__module__.startswith("torch.nn")  # as it was before


def test_pieces_are_the_whole_within_a_tenth_of_a_deviation(network):
    """At the last layer, which attends to all that it is given: root mean square over the features' deviation."""
    speech = uneven_speech(30)
    whole = HuggingFaceSpeechEncoder(network, 2, piece_s=40.0, overlap_s=2.0).encode(speech, 750)
    pieces = HuggingFaceSpeechEncoder(network, 2, piece_s=10.0, overlap_s=2.0).encode(speech, 750)
    assert np.sqrt(np.square(pieces - whole).mean() / whole.var(0).mean()) < 0.1


@pytest.mark.parametrize("frame", [3, 777, 1490])
def test_a_click_is_seen_in_its_frame_however_long_the_speech(network, frame):
    """A minute in pieces of 10 s: of the frames that a click at frame / 25 s changes, the centre is that frame."""
    encoder = HuggingFaceSpeechEncoder(network, 0, piece_s=10.0, overlap_s=1.0)
    network.encoder.pos_conv_embed.forward = lambda hidden: hidden * 0  # sees 16 states around; the clock is asked for
    try:
        quiet = 0.01 * np.random.default_rng(0).normal(size=640 * 1500).astype(np.float32)
        quiet[::16000] += 1.0  # so that one click more does not change the loudness of all
        click = quiet.copy()
        click[640 * frame] += 1.0
        change = np.square(encoder.encode(click, 1500) - encoder.encode(quiet, 1500)).sum(1)
    finally:
        del network.encoder.pos_conv_embed.forward
    near = np.arange(max(frame - 3, 0), frame + 4)
    assert change.argmax() == frame
    assert (change[near] * near).sum() / change[near].sum() == pytest.approx(frame, abs=0.3)  # 12 ms


def test_a_speech_recogniser_is_a_checkpoint_too(tmp_path):
    """wav2vec2-base-960h is published as Wav2Vec2ForCTC: its trunk has a prefix."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    torch.manual_seed(0)
    theirs = Wav2Vec2ForCTC(Wav2Vec2Config(
        vocab_size=8, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        conv_dim=(16,) * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4))
    theirs.save_pretrained(tmp_path)
    ours = HuggingFaceSpeechEncoder(tmp_path, 1, 20.0, 2.0).network.state_dict()
    trunk = theirs.wav2vec2.state_dict()
    assert ours.keys() == trunk.keys() and all(torch.equal(ours[name], value) for name, value in trunk.items())


def test_weights_that_are_not_there_are_not_made_up(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    lost = next(name for name in weights if "layers.1.attention" in name)
    save_file({name: value for name, value in weights.items() if name != lost}, tmp_path / "model.safetensors",
              metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks weights: .*layers\.1\.attention"):
        HuggingFaceSpeechEncoder(tmp_path, 0, 20.0, 2.0)


def test_another_clock_is_refused(folder, tmp_path):
    values = json.loads((folder / "config.json").read_text()) | {"conv_stride": [5, 2, 2, 2, 2, 2, 1]}
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match="50 states a second"):
        HuggingFaceSpeechEncoder(tmp_path, 0, 20.0, 2.0)


def test_normalisation_by_hand():
    np.testing.assert_allclose(normalise(np.array([1.0, 3.0])), [-1.0, 1.0], atol=1e-6)


def test_a_folder_without_a_network_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no config\.json"):
        HuggingFaceSpeechEncoder(tmp_path, 0, 20.0, 2.0)


def test_another_network_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="holds 'bert'"):
        HuggingFaceSpeechEncoder(tmp_path, 0, 20.0, 2.0)
