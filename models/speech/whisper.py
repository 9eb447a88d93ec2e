"""Whisper's encoder (Radford et al., 2022) in plain torch, with the weights of a CTranslate2 model.

Log-mel -> two convolutions -> positions -> pre-norm transformer layers. State j covers mel windows about 2 j, so
it is centred on 0.02 j s. Only as many positions are computed as the speech is long, where Whisper itself pads every
input to 30 s: on 20 s of real speech that moves hidden state 2 by 0.06 of its deviation (root mean square).
Pieces see less context: 10 s pieces of 30 s of speech differ from the whole by 0.15, 20 s pieces by 0.11.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from models.formats.ctranslate2 import read_variables
from models.speech.encoder import STATE_SAMPLES, align, fitted
from models.speech.level import without_offset
from models.speech.log_mel import BANDS, log_mel
from models.speech.pieces import encode_in_pieces

MAX_STATES = 1500  # learned positions: 30 s
LOUDEST = 1.4      # log10 of mel power: what speech at `level.TARGET_RMS` reaches (1.1 to 1.5 on 19 real recordings)


class WhisperSpeechEncoder:
    """SpeechEncoder of hidden state `layer`: 0 is the input embedding, the last one is layer-normed."""

    def __init__(self, path: Path, layer: int, piece_s: float, overlap_s: float, device: str = "cpu"):
        self.network = load_network(path).to(device)
        depth = len(self.network.layers)
        if layer > depth:
            raise ValueError(f"speech.layer is {layer}, this Whisper has the hidden states 0 to {depth}")
        if piece_s * 50 > MAX_STATES:
            raise ValueError(f"speech.piece_s is {piece_s}, Whisper has positions for 30 s")
        self.name, self.dim = "whisper", self.network.positions.shape[1]
        self._layer, self._piece_s, self._overlap_s = layer, piece_s, overlap_s

    @torch.inference_mode()
    def encode(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        """Speech of one level (`level.levelled`) [N] -> [frames, dim]; long speech in pieces."""
        mel = log_mel(without_offset(fitted(waveform, frames)), LOUDEST).to(self.network.positions.device)

        def piece(start: int, stop: int) -> np.ndarray:
            first = min(start, MAX_STATES - (stop - start))  # its true position as long as there is one
            return self.network(mel[None, :, 2 * start:2 * stop], self._layer, first)[0].cpu().numpy()

        states = encode_in_pieces(piece, frames * 640 // STATE_SAMPLES, self._piece_s, self._overlap_s)
        return align(states, 0.0, frames)


class WhisperEncoder(nn.Module):
    """The encoder: mel [B, 80, 2 S] -> hidden state `layer` [B, S, dim], at the positions from `first` on."""

    def __init__(self, dim: int, layers: int, heads: int):
        super().__init__()
        self.conv1 = nn.Conv1d(BANDS, dim, 3, padding=1)
        self.conv2 = nn.Conv1d(dim, dim, 3, stride=2, padding=1)
        self.positions = nn.Parameter(torch.empty(MAX_STATES, dim))
        self.layers = nn.ModuleList(_Layer(dim, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, mel: torch.Tensor, layer: int, first: int = 0) -> torch.Tensor:
        hidden = functional.gelu(self.conv2(functional.gelu(self.conv1(mel)))).transpose(1, 2)
        hidden = hidden + self.positions[first:first + hidden.shape[1]]
        for block in self.layers[:layer]:
            hidden = block(hidden)
        return self.norm(hidden) if layer == len(self.layers) else hidden


class _Layer(nn.Module):
    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.up, self.down = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(self.norm1(hidden)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(q, k, v)  # [B, heads, S, dim / heads]
        hidden = hidden + self.out(attended.transpose(1, 2).flatten(2))
        return hidden + self.down(functional.gelu(self.up(self.norm2(hidden))))


_LAYER_NAMES = {"norm1": "self_attention/layer_norm", "qkv": "self_attention/linear_0",
                "out": "self_attention/linear_1", "norm2": "ffn/layer_norm", "up": "ffn/linear_0",
                "down": "ffn/linear_1"}


def load_network(path: Path) -> WhisperEncoder:
    """The encoder of a CTranslate2 Whisper model; raises ValueError where the file holds another one."""
    values = read_variables(path, "encoder/")
    try:
        depth = len({name.split("/")[1] for name in values if re.match(r"encoder/layer_\d+/", name)})
        dim, heads = values["encoder/conv1/bias"].shape[0], int(values["encoder/num_heads"])
        network = WhisperEncoder(dim, depth, heads)
        network.load_state_dict(_state_dict(values, depth))
    except (KeyError, ValueError, RuntimeError) as error:
        raise ValueError(f"{path} holds no Whisper encoder: {error}") from error
    return network.eval().requires_grad_(False)


def _state_dict(values: dict[str, np.ndarray], depth: int) -> dict[str, torch.Tensor]:
    sources = {f"layers.{i}.{ours}": f"encoder/layer_{i}/{theirs}"
               for i in range(depth) for ours, theirs in _LAYER_NAMES.items()}
    sources |= {"norm": "encoder/layer_norm", "conv1": "encoder/conv1", "conv2": "encoder/conv2"}
    state = {"positions": values["encoder/position_encodings/encodings"]}
    for ours, theirs in sources.items():
        norm = ours.endswith(("norm", "norm1", "norm2"))
        state[f"{ours}.weight"] = values[f"{theirs}/{'gamma' if norm else 'weight'}"]
        state[f"{ours}.bias"] = values[f"{theirs}/{'beta' if norm else 'bias'}"]
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in state.items()}
