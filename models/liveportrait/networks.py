"""LivePortrait's networks together (paper 3.1): what they see in a picture, and the picture of given key points."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.liveportrait.appearance import AppearanceExtractor
from models.liveportrait.generator import SpadeGenerator
from models.liveportrait.motion_extractor import MotionExtractor
from models.liveportrait.pose import degrees_from_bins, rotation_from_degrees, transform_keypoints
from models.liveportrait.stitching import Retargeting
from models.liveportrait.warping import WarpingModule
from models.liveportrait.widths import PUBLISHED, Widths


@dataclass(frozen=True)
class HeadMotion:
    """M's view of B pictures: x_c, delta [B, 21, 3], angles_deg [B, 3] (pitch, yaw, roll), t [B, 3], s [B, 1]."""

    x_c: Tensor
    delta: Tensor
    angles_deg: Tensor
    t: Tensor
    s: Tensor

    @classmethod
    def of(cls, heads: dict[str, Tensor]) -> HeadMotion:
        """Decode M's raw heads."""
        angles = torch.stack([degrees_from_bins(heads[name]) for name in ("pitch", "yaw", "roll")], -1)
        x_c, delta = (heads[name].unflatten(1, (-1, 3)) for name in ("kp", "exp"))
        return cls(x_c, delta, angles, heads["t"], heads["scale"])

    def keypoints(self) -> Tensor:
        """Eq. 1 -> x [B, 21, 3]."""
        return transform_keypoints(self.x_c, rotation_from_degrees(self.angles_deg), self.delta, self.t, self.s)

    def replace(self, **changes: Tensor) -> HeadMotion:
        """The same motion with other parts, e.g. another picture's delta."""
        return dataclasses.replace(self, **changes)


class Networks(nn.Module):
    """F, M, W, G and the three retargeting networks, as trainable modules; pictures are [B, 3, 256, 256] in [0, 1]."""

    def __init__(self, widths: Widths = PUBLISHED):
        super().__init__()
        self.appearance = AppearanceExtractor(widths)
        self.motion = MotionExtractor(widths)
        self.warping = WarpingModule(widths)
        self.generator = SpadeGenerator(widths)
        self.retargeting = Retargeting()

    def head_motion(self, pictures: Tensor) -> HeadMotion:
        """M and the decode of its heads."""
        return HeadMotion.of(self.motion(pictures))

    def image(self, feature_3d: Tensor, x_source: Tensor, x_driving: Tensor) -> Tensor:
        """G(W(F's volume, x_source, x_driving)): volume [B, C, D, 64, 64], x [B, 21, 3] -> [B, 3, 512, 512]."""
        return self.generator(self.warping(feature_3d, x_driving, x_source)["out"])


def seeded_networks(widths: Widths, seed: int) -> Networks:
    """Untrained networks, the same for the same seed; scale starts at one, key points spread over a head's width."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        networks = Networks(widths).eval()
        detector: Any = networks.motion.detector
        with torch.no_grad():
            for head in (detector.fc_scale, detector.fc_t, detector.fc_exp, detector.fc_kp):
                head.weight.mul_(0.2)
                head.bias.zero_()
            detector.fc_scale.bias.fill_(1.0)
            detector.fc_kp.bias.uniform_(-0.4, 0.4)
    return networks
