"""G, LivePortrait's generator: SPADE (Park et al. 2019) with the warped features as its label map."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import spectral_norm

from models.liveportrait.widths import PUBLISHED, Widths

SLOPE = 0.2
UPSCALE = 2  # of the last pixel shuffle


class Spade(nn.Module):
    """Instance norm, scaled and shifted per pixel by what the label map says."""

    def __init__(self, channels: int, labels: int, hidden: int):
        super().__init__()
        self.param_free_norm = nn.InstanceNorm2d(channels)
        self.mlp_shared = nn.Sequential(nn.Conv2d(labels, hidden, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(hidden, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        hidden = self.mlp_shared(functional.interpolate(labels, size=x.shape[2:]))
        return self.param_free_norm(x) * (1 + self.mlp_gamma(hidden)) + self.mlp_beta(hidden)


class SpadeResBlock(nn.Module):
    """Twice SPADE, leaky ReLU, convolution; the skip has its own where the width changes."""

    def __init__(self, inputs: int, outputs: int, labels: int, hidden: int):
        super().__init__()
        middle = min(inputs, outputs)
        self.conv_0 = spectral_norm(nn.Conv2d(inputs, middle, 3, padding=1))
        self.conv_1 = spectral_norm(nn.Conv2d(middle, outputs, 3, padding=1))
        self.norm_0 = Spade(inputs, labels, hidden)
        self.norm_1 = Spade(middle, labels, hidden)
        self.learned_skip = inputs != outputs
        if self.learned_skip:
            self.conv_s = spectral_norm(nn.Conv2d(inputs, outputs, 1, bias=False))
            self.norm_s = Spade(inputs, labels, hidden)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        skip = self.conv_s(self.norm_s(x, labels)) if self.learned_skip else x
        out = self.conv_0(functional.leaky_relu(self.norm_0(x, labels), SLOPE))
        return skip + self.conv_1(functional.leaky_relu(self.norm_1(out, labels), SLOPE))


class SpadeGenerator(nn.Module):
    """warped features [B, 256, 64, 64] -> image [B, 3, 512, 512] RGB in (0, 1)."""

    def __init__(self, widths: Widths = PUBLISHED):
        super().__init__()
        labels, wide, hidden = widths.warped, widths.generator, widths.label_hidden
        self.fc = nn.Conv2d(labels, wide, 3, padding=1)
        self.middle = [f"G_middle_{index}" for index in range(widths.generator_blocks)]
        for name in self.middle:
            self.add_module(name, SpadeResBlock(wide, wide, labels, hidden))
        self.up_0 = SpadeResBlock(wide, labels, labels, hidden)
        self.up_1 = SpadeResBlock(labels, widths.generator_last, labels, hidden)
        self.conv_img = nn.Sequential(nn.Conv2d(widths.generator_last, 3 * UPSCALE**2, 3, padding=1),
                                      nn.PixelShuffle(UPSCALE))

    def forward(self, warped: Tensor) -> Tensor:
        x = self.fc(warped)
        for name in self.middle:
            x = self.get_submodule(name)(x, warped)
        for block in (self.up_0, self.up_1):
            x = block(functional.interpolate(x, scale_factor=2), warped)
        return torch.sigmoid(self.conv_img(functional.leaky_relu(x, SLOPE)))
