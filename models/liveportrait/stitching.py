"""The three small networks of LivePortrait's second stage: stitching, which rendering uses, lip and eye retargeting,
which belong to its checkpoint."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from models.liveportrait.widths import NUM_KEYPOINTS

FLAT = 3 * NUM_KEYPOINTS
STITCHING = (2 * FLAT, 128, 128, 64, FLAT + 2)
LIP = (FLAT + 2, 128, 128, 64, FLAT)
EYE = (FLAT + 3, 256, 256, 128, 128, 64, FLAT)


class RetargetingMlp(nn.Module):
    """Linear layers of the given sizes with ReLU between: x [B, sizes[0]] -> [B, sizes[-1]]."""

    def __init__(self, sizes: tuple[int, ...]):
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.mlp = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return self.mlp(x)


class Retargeting(nn.Module):
    """Corrections of driving key points [B, 21, 3]."""

    def __init__(self):
        super().__init__()
        self.stitching = RetargetingMlp(STITCHING)
        self.lip = RetargetingMlp(LIP)
        self.eye = RetargetingMlp(EYE)

    def stitch(self, x_source: Tensor, x_driving: Tensor) -> Tensor:
        """Move driving key points so that the crop's border (shoulders, hair) stays where the portrait has it."""
        change = self.stitching(torch.cat([x_source.flatten(1), x_driving.flatten(1)], 1))
        moved = x_driving + change[:, :FLAT].unflatten(1, (NUM_KEYPOINTS, 3))
        return torch.cat([moved[..., :2] + change[:, None, FLAT:], moved[..., 2:]], -1)
