"""Wav2Vec2 and HuBERT through transformers, from a local checkpoint folder.

Seven convolutions: receptive field 400 samples, hop 320. With 40 samples of padding on both sides, state j is
centred on (j + 0.5) 20 ms and there are exactly 50 a second. Input is z-normalised per utterance.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from models.speech.encoder import STATE_SAMPLES, align, fitted
from models.speech.pieces import encode_in_pieces

RECEPTIVE_FIELD = 400
MARGIN = (RECEPTIVE_FIELD - STATE_SAMPLES) // 2
FIRST_STATE_S = 0.01
MODEL_TYPES = {"wav2vec2", "hubert"}


class HuggingFaceSpeechEncoder:
    """SpeechEncoder of hidden state `layer`: 0 is the input of the transformer, the last one its output."""

    def __init__(self, folder: Path, layer: int, piece_s: float, overlap_s: float):
        self.network = load_network(folder)
        config = self.network.config
        if layer > config.num_hidden_layers:
            raise ValueError(f"speech.layer is {layer}, {folder} has the hidden states 0 to {config.num_hidden_layers}")
        self.name, self.dim = config.model_type, config.hidden_size
        self._layer, self._piece_s, self._overlap_s = layer, piece_s, overlap_s

    @torch.inference_mode()
    def encode(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        """[N] -> [frames, dim]; long speech in pieces, normalised by the whole."""
        padded = np.pad(normalised(fitted(waveform, frames)), MARGIN)

        def piece(start: int, stop: int) -> np.ndarray:
            samples = torch.from_numpy(padded[STATE_SAMPLES * start:STATE_SAMPLES * stop + 2 * MARGIN])
            return self.network(samples[None], output_hidden_states=True).hidden_states[self._layer][0].numpy()

        states = encode_in_pieces(piece, frames * 640 // STATE_SAMPLES, self._piece_s, self._overlap_s)
        return align(states, FIRST_STATE_S, frames)


def normalised(waveform: np.ndarray) -> np.ndarray:
    """Zero mean, unit variance (with 1e-7 under the root, as Wav2Vec2 was trained) -> float32."""
    return ((waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7)).astype(np.float32)


def load_network(folder: Path) -> torch.nn.Module:
    """The network of a transformers folder, never from the net; raises ValueError."""
    from transformers import AutoConfig, AutoModel

    if not (folder / "config.json").is_file():
        raise ValueError(f"speech.checkpoint {folder} is no transformers folder: it has no config.json")
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if config.model_type not in MODEL_TYPES:
        raise ValueError(f"{folder} holds {config.model_type!r}, expected one of {sorted(MODEL_TYPES)}")
    network = AutoModel.from_pretrained(folder, config=config, local_files_only=True, trust_remote_code=False,
                                        weights_only=True, attn_implementation="sdpa")
    return network.eval().requires_grad_(False)
