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
from models.liveportrait.stitching import Retargeting
from models.liveportrait.warping import WarpingModule
from models.liveportrait.widths import PUBLISHED, Widths

BIN_DEG = 3.0
FIRST_BIN_DEG = -97.5  # face-vid2vid has -99: its weights cannot be read with this decode, nor these with its


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


# head pose: `models.motion.camera` holds the same rotation and eq. 1 for NumPy arrays; a test holds them together


def degrees_from_bins(logits: Tensor) -> Tensor:
    """Expected angle of a softmax over bins of 3 degrees: logits [..., 66] -> degrees [...]."""
    index = torch.arange(logits.shape[-1], dtype=logits.dtype, device=logits.device)
    return BIN_DEG * (logits.softmax(-1) * index).sum(-1) + FIRST_BIN_DEG


def rotation_from_degrees(angles_deg: Tensor) -> Tensor:
    """(pitch, yaw, roll) in degrees [..., 3] -> R [..., 3, 3] for row vectors: R = (Rz Ry Rx)^T."""
    sin, cos = (f(torch.deg2rad(angles_deg)).unbind(-1) for f in (torch.sin, torch.cos))
    (sx, sy, sz), (cx, cy, cz) = sin, cos
    rows = [(cy * cz, cy * sz, -sy),
            (sx * sy * cz - cx * sz, sx * sy * sz + cx * cz, sx * cy),
            (cx * sy * cz + sx * sz, cx * sy * sz - sx * cz, cx * cy)]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def transform_keypoints(x_c: Tensor, rotation: Tensor, delta: Tensor, t: Tensor, scale: Tensor) -> Tensor:
    """Eq. 1: x = s (x_c R + delta) + t, without t_z, as the published weights were trained.

    x_c, delta [B, K, 3], rotation [B, 3, 3], t [B, 3], scale [B, 1] -> x [B, K, 3].
    """
    flat = t * t.new_tensor([1.0, 1.0, 0.0])
    return scale[..., None] * (x_c @ rotation + delta) + flat[..., None, :]
