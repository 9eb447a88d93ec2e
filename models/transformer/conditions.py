"""How conditions enter the motion transformer: speech, standardised features, time. Shapes as there."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.transformer.conformer import SelfAttention
from models.transformer.shape import ModelShape

TIME_FREQUENCIES = 256


class AudioEncoder(nn.Module):
    """The audio projection and the trained self-attention that aligns speech with motion (paper 3.2)."""

    def __init__(self, shape: ModelShape):
        super().__init__()
        self.projection = nn.Linear(shape.speech_dim, shape.dim)
        self.layers = nn.ModuleList(AlignLayer(shape) for _ in range(shape.audio_align_layers))
        self.start = nn.Parameter(0.02 * torch.randn(shape.previous, shape.dim))
        self.null = nn.Parameter(0.02 * torch.randn(shape.dim))

    def forward(self, speech: Tensor, has_previous: Tensor, drop: Tensor | None, mask: Tensor | None) -> Tensor:
        x = self.projection(speech)
        before = torch.where(has_previous[:, None, None], x[:, :len(self.start)], self.start.to(x))
        x = torch.cat([before, x[:, len(self.start):]], dim=1)
        for layer in self.layers:
            x = layer(x, mask)
        return x if drop is None else torch.where(drop[:, None, None], self.null.to(x), x)


class AlignLayer(nn.Module):
    """x + attention(LayerNorm(x))."""

    def __init__(self, shape: ModelShape):
        super().__init__()
        self.norm = nn.LayerNorm(shape.dim)
        self.attention = SelfAttention(shape.dim, shape.heads, shape.dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return x + self.attention(self.norm(x), mask)


class Standardise(nn.Module):
    """(x - mean) / std with statistics that travel with the weights; set once from training clips."""

    mean: Tensor  # [dim]
    std: Tensor  # [dim]

    def __init__(self, dim: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("std", torch.ones(dim))

    def fit(self, mean: Tensor, std: Tensor) -> None:
        """mean and std [dim]; a feature that does not move (std below 1e-4 of the largest) is only centred."""
        self.mean.copy_(mean)
        self.std.copy_(torch.where(std > 1e-4 * std.max(), std, torch.ones_like(std)))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


def time_frequencies(time: Tensor) -> Tensor:
    """DiT's sinusoidal time embedding: t [B] -> [cos, sin] of t 10000^(-i/half) [B, 256]."""
    half = TIME_FREQUENCIES // 2
    rates = 10000.0 ** (-torch.arange(half, device=time.device, dtype=torch.float32) / half)
    angles = time[:, None].float() * rates
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Linear, SiLU, linear."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs))
