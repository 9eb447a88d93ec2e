"""I3D (Carreira and Zisserman 2017), RGB, Kinetics-400: the backbone of FVD.

FVD takes the 400 logits before the softmax, not the 1024 features.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.formats.state_dict import load_strictly, read_tensors
from models.judges.batches import channels_first, in_batches, slices

CLIP_FRAMES, SIDE_PX = 16, 224
_BATCH = 4  # clips
# module -> outputs of branch 0, 1a, 1b, 2a, 2b, 3b
_MIXED = {"Mixed_3b": (64, 96, 128, 16, 32, 32), "Mixed_3c": (128, 128, 192, 32, 96, 64),
          "Mixed_4b": (192, 96, 208, 16, 48, 64), "Mixed_4c": (160, 112, 224, 24, 64, 64),
          "Mixed_4d": (128, 128, 256, 24, 64, 64), "Mixed_4e": (112, 144, 288, 32, 64, 64),
          "Mixed_4f": (256, 160, 320, 32, 128, 128), "Mixed_5b": (256, 160, 320, 32, 128, 128),
          "Mixed_5c": (384, 192, 384, 48, 128, 128)}


class I3d(nn.Module):
    """The published network; its parts' names are those of the published weights."""

    Mixed_3b: Mixed
    Mixed_3c: Mixed
    Mixed_5b: Mixed
    Mixed_5c: Mixed

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(3, 64, 7, stride=2)
        self.Conv3d_2b_1x1 = Unit(64, 64, 1)
        self.Conv3d_2c_3x3 = Unit(64, 192, 3)
        channels = 192
        for name, outputs in _MIXED.items():
            self.add_module(name, Mixed(channels, outputs))
            channels = outputs[0] + outputs[2] + outputs[4] + outputs[5]
        self.logits = Unit(channels, 400, 1, bare=True)

    def features(self, clips: Tensor) -> Tensor:
        """[B, 3, T, 224, 224] in [-1, 1] -> [B, 1024, T', 1, 1], T' = 1 for 16 frames."""
        x = pool(self.Conv3d_1a_7x7(clips), (1, 3, 3), (1, 2, 2))
        x = pool(self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x)), (1, 3, 3), (1, 2, 2))
        x = pool(self.Mixed_3c(self.Mixed_3b(x)), (3, 3, 3), (2, 2, 2))
        for name in ("Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f"):
            x = getattr(self, name)(x)
        x = self.Mixed_5c(self.Mixed_5b(pool(x, (2, 2, 2), (2, 2, 2))))
        return functional.avg_pool3d(x, (2, 7, 7), stride=1)

    def forward(self, clips: Tensor) -> Tensor:
        """[B, 3, T, 224, 224] in [-1, 1] -> logits [B, 400], mean over time."""
        return self.logits(self.features(clips)).flatten(2).mean(2)


class Unit(nn.Module):
    """Convolution padded as TensorFlow does, batch norm, ReLU; `bare`: with a bias and nothing after it."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, bare: bool = False):
        super().__init__()
        self.kernel, self.stride = (kernel,) * 3, (stride,) * 3
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, bias=bare)
        self.bn = None if bare else nn.BatchNorm3d(outputs, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv3d(same_pad(x, self.kernel, self.stride))
        return x if self.bn is None else functional.relu(self.bn(x))


class Mixed(nn.Module):
    """Four branches over one input, joined along the channels."""

    def __init__(self, inputs: int, outputs: tuple[int, ...]):
        super().__init__()
        self.b0 = Unit(inputs, outputs[0], 1)
        self.b1a, self.b1b = Unit(inputs, outputs[1], 1), Unit(outputs[1], outputs[2], 3)
        self.b2a, self.b2b = Unit(inputs, outputs[3], 1), Unit(outputs[3], outputs[4], 3)
        self.b3b = Unit(inputs, outputs[5], 1)

    def forward(self, x: Tensor) -> Tensor:
        pooled = pool(x, (3, 3, 3), (1, 1, 1))
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)], dim=1)


def pool(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Max pooling over zero-padded edges; every input here comes out of a ReLU, so zero is no larger than any."""
    return functional.max_pool3d(same_pad(x, kernel, stride), kernel, stride)


def same_pad(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """TensorFlow's SAME: as many zeros as make the output ceil(size / stride), the odd one at the end."""
    sides = []
    for size, k, s in reversed(list(zip(x.shape[2:], kernel, stride, strict=True))):
        total = max(k - (s if size % s == 0 else size % s), 0)
        sides += [total // 2, total - total // 2]
    return functional.pad(x, sides)


class VideoLogits:
    """Frames -> logits of non-overlapping 16-frame clips, from the published weights at `path`."""

    def __init__(self, path: Path, device: str = "cpu"):
        self.network, self.device = I3d().eval(), device
        load_strictly(self.network, read_tensors(path), path.name)
        self.network.to(device)

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """[T, H, W, 3] uint8 RGB at 25 fps -> [T // 16, 400]; frames that fill no clip are left out."""
        clips = list(slices(len(frames) // CLIP_FRAMES * CLIP_FRAMES, CLIP_FRAMES))
        if not clips:
            return np.zeros((0, 400), np.float32)
        return in_batches(self.network, ((torch.cat([prepare(frames[clip], self.device) for clip in clips[part]]),)
                                         for part in slices(len(clips), _BATCH)))


def prepare(frames: np.ndarray, device: str = "cpu") -> Tensor:
    """[T, H, W, 3] uint8 -> [1, 3, T, 224, 224] in [-1, 1]: shorter side to 224 (bilinear), centre cut."""
    pictures = channels_first(frames, device) / 255.0
    scale = SIDE_PX / min(pictures.shape[2:])
    size = [max(SIDE_PX, round(side * scale)) for side in pictures.shape[2:]]
    pictures = functional.interpolate(pictures, size=size, mode="bilinear", align_corners=False)
    top, left = (size[0] - SIDE_PX) // 2, (size[1] - SIDE_PX) // 2
    pictures = pictures[:, :, top:top + SIDE_PX, left:left + SIDE_PX]
    return (pictures - 0.5).mul(2.0).permute(1, 0, 2, 3)[None]
