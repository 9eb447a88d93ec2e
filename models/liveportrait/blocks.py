"""Convolution blocks that LivePortrait's networks share; child names are those of the published checkpoints."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class SameBlock2d(nn.Module):
    """Convolution 3x3, batch norm, (leaky) ReLU; the size stays."""

    def __init__(self, inputs: int, outputs: int, slope: float = 0.0):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(self.norm(self.conv(x)), self.slope)


class DownBlock2d(nn.Module):
    """Convolution 3x3, batch norm, ReLU, half the size."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(functional.relu(self.norm(self.conv(x))), 2)


class ResBlock3d(nn.Module):
    """Twice batch norm, ReLU, convolution 3x3x3, added to the input."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv3d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv3d(channels, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm3d(channels)
        self.norm2 = nn.BatchNorm3d(channels)

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv1(functional.relu(self.norm1(x)))
        return x + self.conv2(functional.relu(self.norm2(out)))


class DownBlock3d(nn.Module):
    """Convolution 3x3x3, batch norm, ReLU, half the height and width; the depth stays."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu(self.norm(self.conv(x)))
        return functional.avg_pool2d(out.flatten(1, 2), 2).unflatten(1, out.shape[1:3])  # in 3D there is no bf16 on CPU


class UpBlock3d(nn.Module):
    """Twice the height and width (nearest), convolution 3x3x3, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = nn.Conv3d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.norm(self.conv(functional.interpolate(x, scale_factor=(1, 2, 2)))))
