"""The Inception network of FID: TensorFlow's 2015 graph in torchvision's blocks, as pytorch-fid 0.3.0 publishes it.

It differs from torchvision's Inception v3 in its pooling: averages do not count the padding, and the last block takes
a maximum. Its weights have 1008 classes. FID uses the 2048 features before the classifier.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import inception

from models.formats.state_dict import load_strictly, read_tensors
from models.judges.batches import channels_first, in_batches, slices

DIM, SIDE_PX, CLASSES = 2048, 299, 1008
_BATCH = 16


class FidInception(nn.Module):
    """The published network; its parts' names are those of the published weights."""

    def __init__(self) -> None:
        super().__init__()
        unit = inception.BasicConv2d
        self.Conv2d_1a_3x3 = unit(3, 32, kernel_size=3, stride=2)
        self.Conv2d_2a_3x3 = unit(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = unit(32, 64, kernel_size=3, padding=1)
        self.Conv2d_3b_1x1 = unit(64, 80, kernel_size=1)
        self.Conv2d_4a_3x3 = unit(80, 192, kernel_size=3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = BlockA(192, 32), BlockA(256, 64), BlockA(288, 64)
        self.Mixed_6a = inception.InceptionB(288)
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = (BlockC(768, width)
                                                                      for width in (128, 160, 160, 192))
        self.Mixed_7a = inception.InceptionD(768)
        self.Mixed_7b, self.Mixed_7c = BlockE(1280, _average), BlockE(2048, _maximum)
        self.fc = nn.Linear(DIM, CLASSES)

    def forward(self, pictures: Tensor) -> Tensor:
        """[N, 3, 299, 299] in [-1, 1] -> features [N, 2048]."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(pictures)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(functional.max_pool2d(x, 3, 2)))
        x = functional.max_pool2d(x, 3, 2)
        x = self.Mixed_6a(self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))
        return self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean((2, 3))


def _average(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def _maximum(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 3, stride=1, padding=1)


class BlockA(inception.InceptionA):
    def forward(self, x: Tensor) -> Tensor:
        wide = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), wide, double, self.branch_pool(_average(x))], 1)


class BlockC(inception.InceptionC):
    def __init__(self, inputs: int, width: int):
        super().__init__(inputs, channels_7x7=width)

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), single, double, self.branch_pool(_average(x))], 1)


class BlockE(inception.InceptionE):
    def __init__(self, inputs: int, pool):
        super().__init__(inputs)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        return torch.cat([self.branch1x1(x), self.branch3x3_2a(single), self.branch3x3_2b(single),
                          self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double),
                          self.branch_pool(self.pool(x))], 1)


class FidFeatures:
    """The backbone of FID, from the published weights at `path`."""

    dim = DIM

    def __init__(self, path: Path, device: str = "cpu"):
        self.network, self.device = FidInception().eval(), device
        load_strictly(self.network, read_tensors(path), path.name)
        self.network.to(device)

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """frames [T, H, W, 3] uint8 RGB -> features [T, 2048] float32."""
        return in_batches(self.network, ((prepare(frames[part], self.device),) for part in slices(len(frames), _BATCH)))


def prepare(frames: np.ndarray, device: str = "cpu") -> Tensor:
    """uint8 [T, H, W, 3] -> [T, 3, 299, 299] in [-1, 1]: bilinear, corners not aligned, no antialiasing."""
    pictures = channels_first(frames, device) / 255.0
    return 2 * functional.interpolate(pictures, (SIDE_PX, SIDE_PX), mode="bilinear", align_corners=False) - 1
