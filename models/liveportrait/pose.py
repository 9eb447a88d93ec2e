"""Head pose of LivePortrait in torch, differentiable: bins to degrees, rotation, eq. 1.

`models.motion.camera` holds the same rotation and eq. 1 for NumPy arrays; a test holds them together.
"""

from __future__ import annotations

import torch
from torch import Tensor

BIN_DEG = 3.0
FIRST_BIN_DEG = -97.5  # face-vid2vid has -99: its weights cannot be read with this decode, nor these with its


def degrees_from_bins(logits: Tensor) -> Tensor:
    """Expected angle of a softmax over bins of 3 degrees: logits [..., 66] -> degrees [...]."""
    index = torch.arange(logits.shape[-1], dtype=logits.dtype, device=logits.device)
    return BIN_DEG * (logits.softmax(-1) * index).sum(-1) + FIRST_BIN_DEG


def rotation_from_degrees(angles_deg: Tensor) -> Tensor:
    """(pitch, yaw, roll) in degrees [..., 3] -> R [..., 3, 3] for row vectors: R = (Rz Ry Rx)^T."""
    sin, cos = (f(torch.deg2rad(angles_deg)).unbind(-1) for f in (torch.sin, torch.cos))
    (sx, sy, sz), (cx, cy, cz) = sin, cos
    rows = [(cy * cz, cy * sz, -sy),
            (sx * sy * cz - cx * sz, sx * sy * sz + cx * cz, sx * cy),
            (cx * sy * cz + sx * sz, cx * sy * sz - sx * cz, cx * cy)]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def transform_keypoints(x_c: Tensor, rotation: Tensor, delta: Tensor, t: Tensor, scale: Tensor) -> Tensor:
    """Eq. 1: x = s (x_c R + delta) + t, without t_z, as the published weights were trained.

    x_c, delta [B, K, 3], rotation [B, 3, 3], t [B, 3], scale [B, 1] -> x [B, K, 3].
    """
    flat = t * t.new_tensor([1.0, 1.0, 0.0])
    return scale[..., None] * (x_c @ rotation + delta) + flat[..., None, :]
