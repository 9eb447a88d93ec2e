"""The emotion-control module (paper 3.3, figure 3): adaLN-Zero DiT blocks (Peebles & Xie 2023).

Modulations start at zero, so an untrained module is the identity bit for bit: stage 2 begins at the stage-1 model.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.transformer.conformer import SelfAttention


class DiTBlock(nn.Module):
    """x [B, L, d], condition [B, 1 or L, d] -> [B, L, d]."""

    def __init__(self, dim: int, heads: int, mlp_ratio: int):
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim, elementwise_affine=False, eps=1e-6)
        self.attention = SelfAttention(dim, heads, dropout=0.0)
        self.mlp_norm = nn.LayerNorm(dim, elementwise_affine=False, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(dim, mlp_ratio * dim), nn.GELU(approximate="tanh"),
                                 nn.Linear(mlp_ratio * dim, dim))
        shifts_scales_gates = nn.Linear(dim, 6 * dim)
        self.modulation = nn.Sequential(nn.SiLU(), shifts_scales_gates)
        nn.init.zeros_(shifts_scales_gates.weight)
        nn.init.zeros_(shifts_scales_gates.bias)

    def forward(self, x: Tensor, condition: Tensor, mask: Tensor | None = None) -> Tensor:
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = self.modulation(condition).chunk(6, dim=-1)
        x = x + gate_a * self.attention(self.attention_norm(x) * (1 + scale_a) + shift_a, mask)
        return x + gate_m * self.mlp(self.mlp_norm(x) * (1 + scale_m) + shift_m)


class EmotionControl(nn.Module):
    """DiT blocks in series on the Conformer's output, for the Exp-MLP only.

    The condition is time + a weighted mean of label embeddings; the row after the labels is the null class.
    """

    def __init__(self, dim: int, heads: int, mlp_ratio: int, blocks: int, num_labels: int):
        super().__init__()
        self.labels = nn.Parameter(0.02 * torch.randn(num_labels + 1, dim))
        self.blocks = nn.ModuleList(DiTBlock(dim, heads, mlp_ratio) for _ in range(blocks))

    def forward(self, hidden: Tensor, time: Tensor, weights: Tensor, mask: Tensor | None = None) -> Tensor:
        """hidden [B, L, d], time [B, d], weights [B, 1 or L, labels + 1] -> [B, L, d]."""
        condition = weights @ self.labels + time[:, None]
        for block in self.blocks:
            hidden = block(hidden, condition, mask)
        return hidden
