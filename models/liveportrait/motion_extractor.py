"""M, LivePortrait's motion extractor: ConvNeXtV2 (Woo et al. 2023) with seven linear heads."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.liveportrait.widths import NUM_KEYPOINTS, POSE_BINS, PUBLISHED, Widths

EPS = 1e-6
HEADS = {"kp": 3 * NUM_KEYPOINTS, "scale": 1, "pitch": POSE_BINS, "yaw": POSE_BINS, "roll": POSE_BINS, "t": 3,
         "exp": 3 * NUM_KEYPOINTS}


class ChannelsFirstNorm(nn.LayerNorm):
    """Layer norm over the channels of [B, C, H, W]."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class GlobalResponseNorm(nn.Module):
    """x [B, H, W, C]: channels compete by their norm over the picture."""

    def __init__(self, channels: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, channels))

    def forward(self, x: Tensor) -> Tensor:
        response = torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True)
        return x + self.gamma * (x * (response / (response.mean(-1, keepdim=True) + EPS))) + self.beta


class ConvNeXtBlock(nn.Module):
    """Depthwise 7x7, layer norm, four times as wide and back, added to the input."""

    def __init__(self, channels: int):
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=EPS)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.grn = GlobalResponseNorm(4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm(self.dwconv(x).movedim(1, -1))
        out = self.pwconv2(self.grn(functional.gelu(self.pwconv1(out))))
        return x + out.movedim(-1, 1)


class ConvNeXtDetector(nn.Module):
    """The backbone and its heads; keys `downsample_layers`, `stages`, `norm`, `fc_*`."""

    def __init__(self, widths: Widths):
        super().__init__()
        dims = widths.motion_dims
        stem = nn.Sequential(nn.Conv2d(3, dims[0], 4, 4), ChannelsFirstNorm(dims[0], eps=EPS))
        between = [nn.Sequential(ChannelsFirstNorm(narrow, eps=EPS), nn.Conv2d(narrow, wide, 2, 2))
                   for narrow, wide in pairwise(dims)]
        self.downsample_layers = nn.ModuleList([stem, *between])
        self.stages = nn.ModuleList([nn.Sequential(*(ConvNeXtBlock(dim) for _ in range(depth)))
                                     for dim, depth in zip(dims, widths.motion_depths, strict=True)])
        self.norm = nn.LayerNorm(dims[-1], eps=EPS)
        for name, size in HEADS.items():
            self.add_module(f"fc_{name}", nn.Linear(dims[-1], size))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        for downsample, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(downsample(x))
        x = self.norm(x.mean((-2, -1)))
        return {name: self.get_submodule(f"fc_{name}")(x) for name in HEADS}


class MotionExtractor(nn.Module):
    """image [B, 3, 256, 256] RGB in [0, 1] -> raw heads: kp, exp [B, 63], t [B, 3], scale [B, 1],
    pitch, yaw, roll [B, 66] (logits of bins, `models.liveportrait.networks.degrees_from_bins`)."""

    def __init__(self, widths: Widths = PUBLISHED):
        super().__init__()
        self.detector = ConvNeXtDetector(widths)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return self.detector(image)
