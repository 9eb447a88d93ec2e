"""Whisper's encoder (Radford et al., 2022) in plain torch, with the weights of a CTranslate2 model.

Log-mel -> two convolutions -> positions -> pre-norm transformer layers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from models.speech.log_mel import BANDS
from models.speech.whisper_weights import MAX_STATES, read_whisper


class TorchWhisper:
    """Hidden state `layer` of the network of a file, as `WhisperSpeechEncoder` asks for it; raises ValueError."""

    def __init__(self, path: Path, layer: int, device: str = "cpu"):
        self.network, self.layer = load_network(path).to(device), layer
        depth = len(self.network.layers)
        if layer > depth:
            raise ValueError(f"speech.layer is {layer}, this Whisper has the hidden states 0 to {depth}")
        self.dim = self.network.positions.shape[1]

    @torch.inference_mode()
    def __call__(self, mel: np.ndarray, first: int) -> np.ndarray:
        """mel [80, 2 S], at the positions from `first` on -> [S, dim]."""
        given = torch.from_numpy(mel)[None].to(self.network.positions.device)
        return self.network(given, self.layer, first)[0].cpu().numpy()


class WhisperEncoder(nn.Module):
    """The encoder: mel [B, 80, 2 S] -> hidden state `layer` [B, S, dim], at the positions from `first` on."""

    def __init__(self, dim: int, layers: int, heads: int):
        super().__init__()
        self.conv1 = nn.Conv1d(BANDS, dim, 3, padding=1)
        self.conv2 = nn.Conv1d(dim, dim, 3, stride=2, padding=1)
        self.positions = nn.Parameter(torch.empty(MAX_STATES, dim))
        self.layers = nn.ModuleList(_Layer(dim, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, mel: torch.Tensor, layer: int, first: int | torch.Tensor = 0) -> torch.Tensor:
        hidden = functional.gelu(self.conv2(functional.gelu(self.conv1(mel)))).transpose(1, 2)
        hidden = hidden + self.positions[first + torch.arange(hidden.shape[1], device=hidden.device)]
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


def load_network(path: Path) -> WhisperEncoder:
    """The encoder of a CTranslate2 Whisper model; raises ValueError where the file holds another one."""
    weights = read_whisper(path)
    network = WhisperEncoder(weights.dim, weights.depth, weights.heads)
    try:
        network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.tensors.items()})
    except RuntimeError as error:
        raise ValueError(f"{path} holds no Whisper encoder: {error}") from error
    return network.eval().requires_grad_(False)


