"""Sizes of LivePortrait's networks: the published ones, and a toy set for tests of the whole path.

Both take pictures of 256 px, have 21 key points, a feature volume of 64 x 64 pixels and give pictures of 512 px.
"""

from __future__ import annotations

from dataclasses import dataclass

NUM_KEYPOINTS = 21
POSE_BINS = 66
INPUT_PX, VOLUME_PX, OUTPUT_PX = 256, 64, 512


@dataclass(frozen=True)
class Widths:
    """Channels and depths; the comments name the published child modules."""

    appearance: int                     # F: channels after `first`; doubled in each of two `down_blocks`
    resblocks: int                      # F: `resblocks_3d`
    volume_channels: int                # of F's volume [C, D, 64, 64]
    volume_depth: int
    motion_dims: tuple[int, ...]        # M: ConvNeXtV2 stages
    motion_depths: tuple[int, ...]
    compressed: int                     # W: channels of the volume while the flow is estimated
    hourglass: int                      # W: channels of its outermost level; doubled in each block
    hourglass_blocks: int
    hourglass_max: int
    flow_kernel: int                    # W: `mask` and `occlusion`
    warped: int                         # channels from W to G
    generator: int                      # G: channels of `fc` and `G_middle_*`
    generator_blocks: int
    generator_last: int                 # G: channels after `up_1`
    label_hidden: int                   # G: hidden channels of SPADE


PUBLISHED = Widths(
    appearance=64, resblocks=6, volume_channels=32, volume_depth=16, motion_dims=(96, 192, 384, 768),
    motion_depths=(3, 3, 9, 3), compressed=4, hourglass=32, hourglass_blocks=5, hourglass_max=1024, flow_kernel=7,
    warped=256, generator=512, generator_blocks=6, generator_last=64, label_hidden=128)

TOY = Widths(
    appearance=4, resblocks=1, volume_channels=2, volume_depth=2, motion_dims=(8, 8, 16, 16),
    motion_depths=(1, 1, 1, 1), compressed=1, hourglass=4, hourglass_blocks=2, hourglass_max=16, flow_kernel=1,
    warped=8, generator=8, generator_blocks=1, generator_last=4, label_hidden=4)
