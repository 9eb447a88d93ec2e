"""W, LivePortrait's warping module: the flow of the feature volume between two sets of key points.

Grids are (x right, y down, z), each from -1 to 1 over the centres of the first and last cell, while sampling takes
-1 and 1 for the outer edges (`align_corners=False`). The published weights were trained with that mismatch.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.liveportrait.blocks import DownBlock3d, SameBlock2d, UpBlock3d
from models.liveportrait.widths import NUM_KEYPOINTS, PUBLISHED, Widths

VARIANCE = 0.01  # of the key points' Gaussians
FLOWS = NUM_KEYPOINTS + 1  # the first leaves everything in its place


def identity_grid(size: tuple[int, ...], like: Tensor) -> Tensor:
    """[D, H, W, 3] with (x, y, z) of every cell."""
    axes = [torch.linspace(-1, 1, count, device=like.device, dtype=like.dtype) for count in size]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([x, y, z], -1)


class HourglassEncoder(nn.Module):
    def __init__(self, inputs: int, widths: Widths):
        super().__init__()
        channels = [inputs, *hourglass_channels(widths)[1:]]
        self.down_blocks = nn.ModuleList([DownBlock3d(narrow, wide)
                                          for narrow, wide in pairwise(channels)])

    def forward(self, x: Tensor) -> list[Tensor]:
        levels = [x]
        for block in self.down_blocks:
            levels.append(block(levels[-1]))
        return levels


class HourglassDecoder(nn.Module):
    def __init__(self, inputs: int, widths: Widths):
        super().__init__()
        outputs = hourglass_channels(widths)[::-1]
        joined = [outputs[0], *(2 * count for count in outputs[1:-1])]
        self.up_blocks = nn.ModuleList([UpBlock3d(wide, narrow)
                                        for wide, narrow in zip(joined, outputs[1:], strict=True)])
        self.out_channels = outputs[-1] + inputs
        self.conv = nn.Conv3d(self.out_channels, self.out_channels, 3, padding=1)
        self.norm = nn.BatchNorm3d(self.out_channels)

    def forward(self, levels: list[Tensor]) -> Tensor:
        out = levels[-1]
        for block, skip in zip(self.up_blocks, levels[-2::-1], strict=True):
            out = torch.cat([block(out), skip], 1)
        return functional.relu(self.norm(self.conv(out)))


def hourglass_channels(widths: Widths) -> list[int]:
    """From the outermost level to the innermost."""
    return [min(widths.hourglass_max, widths.hourglass << level) for level in range(widths.hourglass_blocks + 1)]


class Hourglass(nn.Module):
    def __init__(self, inputs: int, widths: Widths):
        super().__init__()
        self.encoder = HourglassEncoder(inputs, widths)
        self.decoder = HourglassDecoder(inputs, widths)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


class DenseMotionNetwork(nn.Module):
    """Weighs 22 flows in every cell -> deformation [B, D, H, W, 3], occlusion map [B, 1, H, W] in (0, 1)."""

    def __init__(self, widths: Widths):
        super().__init__()
        inputs, kernel = FLOWS * (widths.compressed + 1), widths.flow_kernel
        self.hourglass = Hourglass(inputs, widths)
        features = self.hourglass.decoder.out_channels
        self.mask = nn.Conv3d(features, FLOWS, kernel, padding=kernel // 2)
        self.compress = nn.Conv3d(widths.volume_channels, widths.compressed, 1)
        self.norm = nn.BatchNorm3d(widths.compressed)
        self.occlusion = nn.Conv2d(features * widths.volume_depth, 1, kernel, padding=kernel // 2)

    def forward(self, volume: Tensor, kp_driving: Tensor, kp_source: Tensor) -> tuple[Tensor, Tensor]:
        volume = functional.relu(self.norm(self.compress(volume)))
        grid = identity_grid(tuple(volume.shape[2:]), kp_driving)
        flows = sparse_flows(grid, kp_driving, kp_source)  # [B, 22, D, H, W, 3]
        features = torch.cat([heat(grid, kp_driving, kp_source)[:, :, None], sample_at(volume, flows)], 2)
        features = self.hourglass(features.flatten(1, 2).to(volume.dtype))
        weights = self.mask(features).to(flows.dtype).softmax(1)  # [B, 22, D, H, W]
        deformation = torch.einsum("bfdhwc,bfdhw->bdhwc", flows, weights)
        return deformation, self.occlusion(features.flatten(1, 2)).sigmoid()


def sparse_flows(grid: Tensor, kp_driving: Tensor, kp_source: Tensor) -> Tensor:
    """Where each cell of the driving frame comes from, if it moved with one key point -> [B, 22, D, H, W, 3]."""
    shift = (kp_source - kp_driving)[:, :, None, None, None]
    shift = functional.pad(shift, (0, 0, 0, 0, 0, 0, 0, 0, 1, 0))
    return grid + shift


def sample_at(volume: Tensor, flows: Tensor) -> Tensor:
    """volume [B, C, D, H, W] at flows [B, N, D, H, W, 3] -> [B, N, C, D, H, W]."""
    batch, count = flows.shape[:2]
    repeated = volume[:, None].expand(-1, count, -1, -1, -1, -1).flatten(0, 1)
    return sample(repeated, flows.flatten(0, 1)).unflatten(0, (batch, count))


def sample(volume: Tensor, grid: Tensor) -> Tensor:
    """Sample volume [B, C, D, H, W] at grid [B, D, H, W, 3]; float32: bf16 would be a quarter cell off."""
    return functional.grid_sample(volume.float(), grid.float(), align_corners=False).to(volume.dtype)


def heat(grid: Tensor, kp_driving: Tensor, kp_source: Tensor) -> Tensor:
    """Gaussians of the driving key points minus those of the source, none for the background: [B, 22, D, H, W]."""
    def gaussians(points: Tensor) -> Tensor:
        return torch.exp(-0.5 / VARIANCE * (grid - points[:, :, None, None, None]).square().sum(-1))

    return functional.pad(gaussians(kp_driving) - gaussians(kp_source), (0, 0, 0, 0, 0, 0, 1, 0))


class WarpingModule(nn.Module):
    """feature_3d [B, C, D, 64, 64], kp_driving, kp_source [B, 21, 3] -> out [B, 256, 64, 64] for the generator,
    occlusion_map [B, 1, 64, 64], deformation [B, D, 64, 64, 3]."""

    def __init__(self, widths: Widths = PUBLISHED):
        super().__init__()
        self.dense_motion_network = DenseMotionNetwork(widths)
        self.third = SameBlock2d(widths.volume_channels * widths.volume_depth, widths.warped, slope=0.01)
        self.fourth = nn.Conv2d(widths.warped, widths.warped, 1)

    def forward(self, feature_3d: Tensor, kp_driving: Tensor, kp_source: Tensor) -> dict[str, Tensor]:
        deformation, occlusion = self.dense_motion_network(feature_3d, kp_driving, kp_source)
        features = sample(feature_3d, deformation).flatten(1, 2)
        out = self.fourth(self.third(features)) * occlusion
        return {"out": out, "occlusion_map": occlusion, "deformation": deformation}
