"""Features of VGG19 (Simonyan & Zisserman 2014) for the perceptual loss of eq. 4, or of VGG16 where only that is there.

torchvision's layout: module n here is its `features.n`. The five outputs are relu1_1, relu2_1, relu3_1, relu4_1 and
relu5_1 (Johnson et al. 2016); what follows them is not built.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.formats.numpy_pickle import read_numpy_pickle
from models.formats.state_dict import load_strictly, read_tensors

Kind = Literal["vgg19", "vgg16"]
CONVOLUTIONS = {"vgg19": (2, 2, 4, 4), "vgg16": (2, 2, 3, 3)}  # before each of the four pools; one more after the last
WIDTHS = (1, 2, 4, 8)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class VggFeatures(nn.Module):
    """Frozen trunk: images [B, 3, H, W] RGB in [0, 1], sides at least 16 -> five tensors [B, C, h, w].

    `width` is the first block's number of channels: 64 in the published networks, less in tests.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, kind: Kind, width: int = 64):
        super().__init__()
        self.name = kind
        self.layers, self.taps = _trunk(kind, width)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(IMAGENET_STD)[:, None, None])
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> VggFeatures:
        """It stays in evaluation mode."""
        return super().train(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        x, found = (images - self.mean) / self.std, []
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in self.taps:
                found.append(x)
        return found


def _trunk(kind: Kind, width: int) -> tuple[nn.ModuleList, tuple[int, ...]]:
    layers, taps, channels = nn.ModuleList(), [], 3
    for count, factor in zip((*CONVOLUTIONS[kind], 1), (*WIDTHS, 8), strict=True):
        taps.append(len(layers) + 1)
        for _ in range(count):
            layers.extend([nn.Conv2d(channels, width * factor, 3, padding=1), nn.ReLU()])
            channels = width * factor
        layers.append(nn.MaxPool2d(2))
    return layers[:-1], tuple(taps)  # nothing is pooled after relu5_1


def load_vgg(kind: Kind, path: Path) -> VggFeatures:
    """The published weights: torchvision's `.pth`, or a NumPy pickle of LPIPS' trunk (VGG16); raises ValueError."""
    network = VggFeatures(kind)
    state = _from_arrays(network, path) if path.suffix == ".ckpt" else _from_torchvision(path)
    wanted = network.layers.state_dict().keys()  # the classifier is not used
    load_strictly(network.layers, {name: value for name, value in state.items() if name in wanted}, f"{path} ({kind})")
    return network


def _from_torchvision(path: Path) -> dict[str, Tensor]:
    return {name.removeprefix("features."): value for name, value in read_tensors(path).items()}


def _from_arrays(network: VggFeatures, path: Path) -> dict[str, Tensor]:
    """Kernels are stored [H, W, in, out], numbered in order."""
    stored, state = read_numpy_pickle(path), {}
    convolutions = [index for index, layer in enumerate(network.layers) if isinstance(layer, nn.Conv2d)]
    try:
        for number, index in enumerate(convolutions):
            layer = stored["VGG16_0"][f"Conv_{number}"]
            state[f"{index}.weight"] = torch.from_numpy(np.array(layer["kernel"], np.float32)).permute(3, 2, 0, 1)
            state[f"{index}.bias"] = torch.from_numpy(np.array(layer["bias"], np.float32))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no VGG16: {error}") from error
    return state


def feature_distance(first: list[Tensor], second: list[Tensor], form: Literal["mean_square", "l2", "l1"]) -> Tensor:
    """Distance of two pictures' features, the mean over layers [B].

    Eq. 4 writes an unsquared norm of one feature extractor: `l2` is that, per layer and divided by the root of its
    size; `mean_square` its square, `l1` the mean of absolute differences.
    """
    parts = []
    for ours, theirs in zip(first, second, strict=True):
        difference = (full(ours) - full(theirs)).flatten(1)
        parts.append(difference.abs().mean(1) if form == "l1" else difference.square().mean(1))
    if form == "l2":
        parts = [(part + 1e-12).sqrt() for part in parts]  # a root has no gradient at 0
    return torch.stack(parts).mean(0)


def resize(images: Tensor, side_px: int) -> Tensor:
    """[B, 3, H, W] -> [B, 3, side_px, side_px], averaged where it shrinks."""
    if images.shape[-1] == side_px == images.shape[-2]:
        return images
    return functional.interpolate(images, (side_px, side_px), mode="bilinear", antialias=True, align_corners=False)


def full(values: Tensor) -> Tensor:
    """bfloat16 and float16 as float32; wider types as they are."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
