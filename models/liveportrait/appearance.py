"""F, LivePortrait's appearance feature extractor: a portrait as a volume of features."""

from __future__ import annotations

from torch import Tensor, nn

from models.liveportrait.blocks import DownBlock2d, ResBlock3d, SameBlock2d
from models.liveportrait.widths import PUBLISHED, Widths


class AppearanceExtractor(nn.Module):
    """image [B, 3, 256, 256] RGB in [0, 1] -> feature_3d [B, C, D, 64, 64] (published: C 32, D 16)."""

    def __init__(self, widths: Widths = PUBLISHED):
        super().__init__()
        first, channels, depth = widths.appearance, widths.volume_channels, widths.volume_depth
        self.volume = (channels, depth)
        self.first = SameBlock2d(3, first)
        self.down_blocks = nn.ModuleList([DownBlock2d(first, 2 * first), DownBlock2d(2 * first, 4 * first)])
        self.second = nn.Conv2d(4 * first, channels * depth, 1)
        self.resblocks_3d = nn.Sequential()
        for index in range(widths.resblocks):
            self.resblocks_3d.add_module(f"3dr{index}", ResBlock3d(channels))

    def forward(self, image: Tensor) -> Tensor:
        out = self.first(image)
        for block in self.down_blocks:
            out = block(out)
        return self.resblocks_3d(self.second(out).unflatten(1, self.volume))
