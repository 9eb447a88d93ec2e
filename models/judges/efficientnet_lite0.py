"""EfficientNet-Lite0, ImageNet weights: the frame features of `fd_efficientnet_lite0` (1280-d, not FID's network).

Architecture: Tan and Le 2019 with the Lite changes (no squeeze-excite, ReLU6, stem and head not scaled), with
TensorFlow's "same" padding, which is uneven at stride 2. Input (RGB - 127) / 128 at 224 px.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from torch import Tensor, nn
from torch.nn import functional

from models.formats.state_dict import load_strictly, read_tensors
from models.judges.batches import channels_first, in_batches, slices

SIDE_PX = 224
DIM = 1280
_BATCH = 16
# expansion, channels, repeats, stride of the first, kernel
_STAGES = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5),
           (6, 192, 4, 2, 5), (6, 320, 1, 1, 3))


class _SameConv(nn.Conv2d):
    """Convolution with TensorFlow's padding: output = ceil(input / stride), the odd pixel at the end."""

    def forward(self, x: Tensor) -> Tensor:  # [N, C, H, W]
        pads = []
        for side, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads += [total // 2, total - total // 2]
        return self._conv_forward(functional.pad(x, pads), self.weight, self.bias)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class _Block(nn.Module):
    """Inverted residual: expand, depthwise, project."""

    def __init__(self, channels_in: int, channels_out: int, expansion: int, kernel: int, stride: int):
        super().__init__()
        wide = channels_in * expansion
        self.skips = stride == 1 and channels_in == channels_out
        if expansion > 1:
            self._expand_conv, self._bn0 = _SameConv(channels_in, wide, 1, bias=False), _norm(wide)
        self._depthwise_conv = _SameConv(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = _norm(wide)
        self._project_conv, self._bn2 = _SameConv(wide, channels_out, 1, bias=False), _norm(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        if hasattr(self, "_expand_conv"):
            y = functional.relu6(self._bn0(self._expand_conv(y)))
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.skips else y


class EfficientNetLite0(nn.Module):
    """Images [N, 3, 224, 224] in (RGB - 127) / 128 -> features [N, 1280] and ImageNet logits [N, 1000]."""

    def __init__(self):
        super().__init__()
        self._conv_stem, self._bn0 = _SameConv(3, 32, 3, 2, bias=False), _norm(32)
        blocks, channels = [], 32
        for expansion, out, repeats, stride, kernel in _STAGES:
            for index in range(repeats):
                blocks.append(_Block(channels, out, expansion, kernel, stride if index == 0 else 1))
                channels = out
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = _SameConv(channels, DIM, 1, bias=False), _norm(DIM)
        self._fc = nn.Linear(DIM, 1000)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        features = functional.relu6(self._bn1(self._conv_head(x))).mean((2, 3))  # [N, 1280]
        return features, self._fc(features)


class FrameFeatures:
    """The backbone of `fd_efficientnet_lite0`, from the weights file at `path`."""

    name = "efficientnet_lite0"
    dim = DIM

    def __init__(self, path: Path, device: str = "cpu"):
        self.network, self.device = EfficientNetLite0().eval(), device
        load_strictly(self.network, read_tensors(path), path.name)
        self.network.to(device)

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """frames [T, H, W, 3] uint8 RGB -> features [T, 1280] float32."""
        return in_batches(lambda pictures: self.network(pictures)[0],
                          ((prepare(frames[part], self.device),) for part in slices(len(frames), _BATCH)))


def prepare(frames: np.ndarray, device: str = "cpu") -> Tensor:
    """frames [T, H, W, 3] uint8 -> [T, 3, 224, 224] in (RGB - 127) / 128, area-averaged when shrunk."""
    shrinks = min(frames.shape[1:3]) > SIDE_PX
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    small = np.stack([cv2.resize(frame, (SIDE_PX, SIDE_PX), interpolation=way) for frame in frames])
    return (channels_first(small, device) - 127.0) / 128.0
