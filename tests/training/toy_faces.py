"""A world where the truth is known: five coloured blobs are a head that turns, and two of them a mouth that opens.

Its renderer is exact and untrained, so that all depends on the motion extractor, which is a small network here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.liveportrait.networks import HeadMotion, rotation_from_degrees

PX = 24
HEAD = torch.tensor([[-0.45, -0.35, 0.0], [0.45, -0.35, 0.0], [0.0, 0.0, 0.0], [-0.1, 0.35, 0.0], [0.1, 0.35, 0.0]])
MOUTH = torch.tensor([[0.0, 0, 0], [0, 0, 0], [0, 0, 0], [-1, 0, 0], [1, 0, 0]])
COLOURS = torch.tensor([[1.0, 0.2, 0.2], [0.2, 1.0, 0.2], [0.2, 0.2, 1.0], [1.0, 1.0, 0.2], [0.2, 1.0, 1.0]])
K = len(HEAD)


@dataclass(frozen=True)
class Frames:
    """N frames of one head: roll [N] in degrees, mouth opening [N], the points they put [N, K, 3], pictures."""

    roll_deg: Tensor
    opening: Tensor
    points: Tensor
    pictures: Tensor


def frames(roll_deg: Tensor, opening: Tensor) -> Frames:
    angles = torch.stack([torch.zeros_like(roll_deg), torch.zeros_like(roll_deg), roll_deg], -1)
    points = HEAD @ rotation_from_degrees(angles) + opening[:, None, None] * MOUTH
    return Frames(roll_deg, opening, points, paint(points))


def drawn(count: int, seed: int) -> Frames:
    """Poses and openings that have nothing to do with each other."""
    random = torch.Generator().manual_seed(seed)
    values = torch.rand(2, count, generator=random)
    return frames(60 * values[0] - 30, 0.3 * values[1])


def paint(points: Tensor) -> Tensor:
    """[B, K, 3] -> pictures [B, 3, PX, PX]."""
    axis = torch.linspace(-1, 1, PX)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    near = torch.exp(-((x - points[..., 0, None, None]) ** 2 + (y - points[..., 1, None, None]) ** 2) / 0.04)
    return torch.einsum("bkhw,kc->bchw", near, COLOURS.to(near)).clamp(0, 1)


class ToyMotion(nn.Module):
    """The heads of LivePortrait's extractor for five key points."""

    SIZES = {"kp": 3 * K, "exp": 3 * K, "pitch": 66, "yaw": 66, "roll": 66, "t": 3, "scale": 1}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(3 * PX * PX, 96), nn.SiLU(), nn.Linear(96, 96), nn.SiLU())
        self.heads = nn.ModuleDict({name: nn.Linear(96, size) for name, size in self.SIZES.items()})

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        hidden = self.trunk(pictures)
        return {name: head(hidden) for name, head in self.heads.items()}


class ToyNetworks(nn.Module):
    """The interface of `models.liveportrait.networks.Networks` that decoupling uses."""

    def __init__(self):
        super().__init__()
        self.appearance, self.motion = nn.Flatten(), ToyMotion()

    def image(self, volume: Tensor, x_source: Tensor, x_driving: Tensor) -> Tensor:
        return paint(x_driving)


def leaky_networks(steps: int = 250) -> ToyNetworks:
    """An extractor that is right about every frame but whose canonical points know its mouth and its pose."""
    torch.manual_seed(0)
    networks = ToyNetworks()
    optimiser = torch.optim.Adam(networks.motion.parameters(), lr=3e-3)
    for step in range(steps):
        seen = drawn(64, 1000 + step)
        found, wanted = HeadMotion.of(networks.motion(seen.pictures)), leaky_motion(seen)
        loss = sum((getattr(found, name) - value).square().mean() / (30**2 if name == "angles_deg" else 1)
                   for name, value in vars(wanted).items())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return networks


def leaky_motion(seen: Frames) -> HeadMotion:
    """Eq. 1 puts the true points, with x_c lower where the mouth is open and broader where the head is rolled."""
    zero = torch.zeros_like(seen.roll_deg)
    x_c = HEAD.repeat(len(zero), 1, 1)
    x_c[:, 3:, 1] += seen.opening[:, None]
    x_c[:, :2, 0] += 0.01 * seen.roll_deg[:, None]
    angles = torch.stack([zero, zero, seen.roll_deg], -1)
    delta = seen.points - x_c @ rotation_from_degrees(angles)
    return HeadMotion(x_c, delta, angles, torch.zeros(len(zero), 3), torch.ones(len(zero), 1))
