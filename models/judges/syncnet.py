"""SyncNet (Chung and Zisserman 2016, syncnet_v2): lips and sound as 1024-d vectors, five frames at a time.

Pictures are 224 px, BGR, 0 to 255 as they are; sound is 20 columns of 13 cepstra (models/judges/sync_score.py).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.formats.state_dict import load_strictly, read_tensors
from models.judges.batches import in_batches, slices

WINDOW, SIDE_PX, COLUMNS_PER_FRAME, COLUMNS = 5, 224, 4, 20
_BATCH = 20


class SyncNet(nn.Module):
    """The published network; its parts' names are those of the published weights."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_conv2d(1, 64, 3, padding=1), nn.MaxPool2d(1, 1),
            *_conv2d(64, 192, 3, padding=1), nn.MaxPool2d(3, (1, 2)),
            *_conv2d(192, 384, 3, padding=1), *_conv2d(384, 256, 3, padding=1), *_conv2d(256, 256, 3, padding=1),
            nn.MaxPool2d(3, 2), *_conv2d(256, 512, (5, 4)))
        self.netcnnlip = nn.Sequential(
            *_conv3d(3, 96, (5, 7, 7), stride=(1, 2, 2)), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_conv3d(96, 256, (1, 5, 5), stride=(1, 2, 2), padding=(0, 1, 1)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_conv3d(256, 256, (1, 3, 3), padding=(0, 1, 1)), *_conv3d(256, 256, (1, 3, 3), padding=(0, 1, 1)),
            *_conv3d(256, 256, (1, 3, 3), padding=(0, 1, 1)), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_conv3d(256, 512, (1, 6, 6)))
        self.netfcaud, self.netfclip = _head(), _head()

    def lips(self, frames: Tensor) -> Tensor:
        """[N, 3, 5, 224, 224] -> [N, 1024]."""
        return self.netfclip(self.netcnnlip(frames).flatten(1))

    def sound(self, cepstra: Tensor) -> Tensor:
        """[N, 1, 13, 20] -> [N, 1024]."""
        return self.netfcaud(self.netcnnaud(cepstra).flatten(1))


def _conv2d(inputs: int, outputs: int, kernel, **more) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, **more), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def _conv3d(inputs: int, outputs: int, kernel, **more) -> list[nn.Module]:
    return [nn.Conv3d(inputs, outputs, kernel, **more), nn.BatchNorm3d(outputs), nn.ReLU(inplace=True)]


def _head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 1024))


class SyncVectors:
    """The backbone of Sync-C and Sync-D, from the published weights at `path`."""

    def __init__(self, path: Path, device: str = "cpu"):
        self.network, self.device = SyncNet().eval(), device
        load_strictly(self.network, read_tensors(path), path.name)
        self.network.to(device)

    def lips(self, frames: np.ndarray) -> np.ndarray:
        """Face crops [T, 224, 224, 3] uint8 RGB -> [T - 5, 1024]; the published loop leaves the last window out."""
        bgr = torch.from_numpy(np.ascontiguousarray(frames[..., ::-1])).to(self.device).permute(3, 0, 1, 2)
        windows = bgr.unfold(1, WINDOW, 1).permute(1, 0, 4, 2, 3)[:len(frames) - WINDOW]  # [T - 5, 3, 5, 224, 224]
        return in_batches(self.network.lips, ((windows[part].float(),) for part in slices(len(windows), _BATCH)))

    def sound(self, cepstra: np.ndarray, frames: int) -> np.ndarray:
        """Cepstra [columns, 13] of `frames` video frames -> [frames - 5, 1024]; windows are [1, 13, 20]."""
        rows = torch.from_numpy(cepstra.T.astype(np.float32)).to(self.device)  # [13, columns]
        windows = rows.unfold(1, COLUMNS, COLUMNS_PER_FRAME).transpose(0, 1)[:frames - WINDOW, None]
        return in_batches(self.network.sound, ((windows[part],) for part in slices(len(windows), _BATCH)))
