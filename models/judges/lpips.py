"""LPIPS v0.1 (Zhang et al. 2018) with the AlexNet trunk, through the `lpips` package.

The package brings its linear layers; its trunk would come from the internet, so it is filled from the weights
table's file, whose kernels are stored [H, W, in, out].
"""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.formats.numpy_pickle import read_numpy_pickle
from models.judges.batches import channels_first, in_batches, slices

_BATCH = 8


class Lpips:
    """The learned distance of two picture lists; the published numbers hold for this very network."""

    name = "lpips_alexnet"

    def __init__(self, trunk: Path, device: str = "cpu"):
        import lpips

        self.device = device

        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            self.network = lpips.LPIPS(net="alex", version="0.1", pnet_rand=True, verbose=False).eval()
        _fill_trunk(self.network, read_numpy_pickle(trunk))
        self.network.to(device)

    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Two [T, H, W, 3] uint8 RGB of the same shape -> distances [T]."""
        if first.shape != second.shape:
            raise ValueError(f"LPIPS compares pictures of one shape, got {first.shape} and {second.shape}")
        return in_batches(self.network, ((_to_signed(first[part], self.device), _to_signed(second[part], self.device))
                                         for part in slices(len(first), _BATCH))).reshape(-1)


def _to_signed(frames: np.ndarray, device: str) -> Tensor:
    """uint8 [T, H, W, 3] -> [T, 3, H, W] in [-1, 1]: with [0, 1] the network answers without complaint, wrongly."""
    return channels_first(frames, device) / 127.5 - 1.0


def _fill_trunk(network: Any, weights: dict) -> None:
    layers = weights["AlexNet_0"]
    convolutions: list[Any] = [module for module in network.net.modules() if isinstance(module, torch.nn.Conv2d)]
    if len(layers) != len(convolutions):
        raise ValueError(f"the trunk has {len(layers)} layers, AlexNet has {len(convolutions)}")
    for index, convolution in enumerate(convolutions):
        layer = layers[f"Conv_{index}"]
        kernel = torch.from_numpy(np.asarray(layer["kernel"], np.float32)).permute(3, 2, 0, 1)
        if kernel.shape != convolution.weight.shape:
            raise ValueError(f"layer {index}: kernel {tuple(kernel.shape)}, expected {tuple(convolution.weight.shape)}")
        convolution.weight.data.copy_(kernel)
        assert convolution.bias is not None  # AlexNet's have one
        convolution.bias.data.copy_(torch.from_numpy(np.asarray(layer["bias"], np.float32)))
