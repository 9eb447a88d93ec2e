"""Conformer blocks (Gulati et al. 2020, figure 1), with rotary positions and padding masks.

Positions: rotary embeddings of queries and keys (Su et al. 2021) stand in for the relative sinusoidal attention of
the original. Both see only distances; rotary needs no position matrix and runs through PyTorch's fused attention.
Tensors are [B, L, d]; a mask [B, L] is True for real tokens, None where all are real. No token's output depends on
the content or the number of padding tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.transformer.shape import ConvNorm


def rotary_angles(length: int, head_dim: int, device: torch.device | None = None) -> Tensor:
    """Angles [length, head_dim / 2]: position times 10000^(-2i / head_dim)."""
    rates = 10000.0 ** (-torch.arange(0, head_dim, 2, device=device, dtype=torch.float32) / head_dim)
    return torch.arange(length, device=device, dtype=torch.float32)[:, None] * rates


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Rotate the pairs (x_i, x_{i + head_dim / 2}) of x [..., L, head_dim] by angles [L, head_dim / 2]."""
    cos, sin = angles.cos().to(x), angles.sin().to(x)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


class SelfAttention(nn.Module):
    """Multi-head self-attention with rotary positions, without a norm of its own."""

    def __init__(self, dim: int, heads: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        batch, length, dim = x.shape
        qkv = self.qkv(x).view(batch, length, 3, self.heads, dim // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each [B, heads, L, head_dim]
        angles = rotary_angles(length, dim // self.heads, x.device)
        keep = None if mask is None else mask[:, None, None, :]
        mixed = functional.scaled_dot_product_attention(
            rotate(q, angles), rotate(k, angles), v, attn_mask=keep, dropout_p=self.dropout if self.training else 0.0)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, dim))


class FeedForward(nn.Sequential):
    """Half-step feed-forward module: LayerNorm, Linear, Swish, Linear."""

    def __init__(self, dim: int, ratio: int, dropout: float):
        super().__init__(nn.LayerNorm(dim), nn.Linear(dim, ratio * dim), nn.SiLU(), nn.Dropout(dropout),
                         nn.Linear(ratio * dim, dim), nn.Dropout(dropout))


class FrameNorm(nn.Module):
    """The norm inside the convolution module, over single frames (layer, group) or the batch's real frames."""

    def __init__(self, kind: ConvNorm, dim: int):
        super().__init__()
        self.kind = kind
        self.norm = {"batch": lambda: nn.BatchNorm1d(dim), "layer": lambda: nn.LayerNorm(dim),
                     "group": lambda: nn.GroupNorm(8, dim)}[kind]()

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        if self.kind == "layer":
            return self.norm(x)
        if mask is None or self.kind == "group" or not self.training:  # fixed statistics: padding cannot enter
            return self.norm(x.flatten(0, 1)).view_as(x)
        out = torch.zeros_like(x)
        out[mask] = self.norm(x[mask]).to(out)  # padding must not enter batch statistics
        return out


class Convolution(nn.Module):
    """LayerNorm, pointwise 2d, GLU, depthwise over time, norm, Swish, pointwise."""

    def __init__(self, dim: int, kernel: int, norm: ConvNorm, dropout: float):
        super().__init__()
        self.norm_in = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, 2 * dim)
        self.depthwise = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.norm = FrameNorm(norm, dim)
        self.out = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = functional.glu(self.expand(self.norm_in(x)), dim=-1)
        if mask is not None:
            x = x * mask[..., None]  # the depthwise filter must see zeros beyond the end
        x = self.depthwise(x.transpose(1, 2)).transpose(1, 2)
        return self.dropout(self.out(functional.silu(self.norm(x, mask))))


class ConformerBlock(nn.Module):
    """x + FFN/2, + attention, + convolution, + FFN/2, LayerNorm."""

    def __init__(self, dim: int, heads: int, mlp_ratio: int, conv_kernel: int, conv_norm: ConvNorm, dropout: float):
        super().__init__()
        self.feed_in = FeedForward(dim, mlp_ratio, dropout)
        self.attention_norm = nn.LayerNorm(dim)
        self.attention = SelfAttention(dim, heads, dropout)
        self.attention_dropout = nn.Dropout(dropout)
        self.convolution = Convolution(dim, conv_kernel, conv_norm, dropout)
        self.feed_out = FeedForward(dim, mlp_ratio, dropout)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = x + 0.5 * self.feed_in(x)
        x = x + self.attention_dropout(self.attention(self.attention_norm(x), mask))
        x = x + self.convolution(x, mask)
        x = x + 0.5 * self.feed_out(x)
        return self.norm(x)
