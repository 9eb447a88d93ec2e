"""Motion decoupling: pairwise transfer of head pose and facial dynamics (paper 3.1, eq. 2-4; VASA-1).

From two frames i, j of one clip, two pictures are made that should be the same: frame i with the pose of j (eq. 2),
and frame j with the expression of i (eq. 3). What eq. 4 takes out of the space is what the canonical key points know of
their frame: both pictures are driven by x_c R_j + delta_i, with x_c of frame i and of frame j.

Eq. 4 alone is also fulfilled by a space without any expression, and by one whose pose has moved into delta. So three
terms hold the space: frame j rebuilt from frame i (pixels, and features as in eq. 4), and key points and head pose that
stay near those of the untuned extractor, whose language the frozen networks speak. Pictures are [B, 3, H, W] RGB in
[0, 1].
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.judges.vgg import VggFeatures, feature_distance, full, resize
from models.liveportrait.networks import HeadMotion, Networks

Distance = Literal["mean_square", "l2", "l1"]


def driven(canonical: HeadMotion, pose: HeadMotion, expression: HeadMotion) -> Tensor:
    """Eq. 1 with the parts of three pictures -> x [B, K, 3]; scale and t belong to the pose.

    Eq. 2 is driven(i, pose=j, expression=i), eq. 3 driven(j, pose=j, expression=i).
    """
    return pose.replace(x_c=canonical.x_c, delta=expression.delta).keypoints()


def head_motion(motion: nn.Module, pictures: Tensor) -> HeadMotion:
    """What M finds, in float32 where its layers compute in less."""
    return HeadMotion.of({name: full(value) for name, value in motion(pictures).items()})


def rows(motion: HeadMotion, chosen: slice) -> HeadMotion:
    """Those of some pictures of the batch."""
    return motion.replace(**{name: value[chosen] for name, value in vars(motion).items()})


@dataclass(frozen=True)
class Weights:
    """Of the terms; 0 leaves one out."""

    transfer: float  # eq. 4
    reconstruction: float  # mean absolute difference of pixels
    perceptual: float  # of the rebuilt frame's features
    prior: float  # mean squared difference of key points, and of the untuned x_c under the two head poses


class DecouplingObjective(nn.Module):
    """The loss of pairs. `networks` are LivePortrait's (`models.liveportrait.networks.Networks`)."""

    def __init__(self, networks: Networks, features: VggFeatures, weights: Weights, distance: Distance,
                 picture_px: int):
        super().__init__()
        self.networks, self.features = networks, features
        self.untuned = copy.deepcopy(networks.motion).requires_grad_(False)
        self.weights, self.distance, self.picture_px = weights, distance, picture_px

    def forward(self, first: Tensor, second: Tensor) -> dict[str, Tensor]:
        """Frames i and j -> the terms, unweighted, and `loss`, each [B]."""
        count = len(first)
        pictures = torch.cat([first, second])
        motion = head_motion(self.networks.motion, pictures)
        i, j = rows(motion, slice(count)), rows(motion, slice(count, None))
        x = motion.keypoints()
        target = torch.cat([driven(i, j, i), driven(j, j, i), driven(i, j, j)])  # eq. 2, eq. 3, j rebuilt from i
        source = torch.cat([x[:count], x[count:], x[:count]])
        volume = self.networks.appearance(pictures)
        images = self.networks.image(torch.cat([volume, volume[:count]]), source, target)
        images = resize(full(images), self.picture_px)
        parts = self._compare(images, resize(second, self.picture_px))
        prior = self._prior(motion, head_motion(self.untuned, pictures))
        parts["prior"] = 0.5 * (prior[:count] + prior[count:])
        parts["loss"] = sum(getattr(self.weights, name) * value for name, value in parts.items())
        return parts

    @staticmethod
    def _prior(now: HeadMotion, before: HeadMotion) -> Tensor:
        points = now.keypoints() - before.keypoints()
        pose = driven(before, pose=now, expression=before) - before.keypoints()
        return points.square().mean((1, 2)) + pose.square().mean((1, 2))

    def _compare(self, images: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """The pictures of eq. 2, eq. 3 and j rebuilt, one after the other, and frames j."""
        layers = [layer.chunk(4) for layer in self.features(torch.cat([images, truth]))]
        posed, expressed, rebuilt, wanted = ([layer[k] for layer in layers] for k in range(4))
        return {"transfer": feature_distance(posed, expressed, self.distance),
                "reconstruction": (images.chunk(3)[2] - truth).abs().mean((1, 2, 3)),
                "perceptual": feature_distance(rebuilt, wanted, self.distance)}


def choose_trained(networks: nn.Module, parts: list[str]) -> list[nn.Parameter]:
    """Unfreeze the named networks alone, all in evaluation mode; return their parameters.

    Batch norms and spectral norms keep their statistics: batches of pairs are small and of one person each.
    """
    networks.requires_grad_(False).eval()
    for part in parts:
        networks.get_submodule(part).requires_grad_(True)
    return [parameter for parameter in networks.parameters() if parameter.requires_grad]


@torch.inference_mode()
def leakage(networks: Networks, first: Tensor, second: Tensor) -> dict[str, float]:
    """What of the expression gets lost when only the pose is swapped, as M itself sees it in the pictures made.

    `expression_kept`: distance of delta in the posed picture from delta of i, in units of the distance between i and j
    (0: all kept, 1: as far as another frame's); `pose_followed`: the same of the angles, from those of j;
    `delta_spread`: deviation of delta over all frames, which shows a space that collapses.
    """
    motion, count = head_motion(networks.motion, torch.cat([first, second])), len(first)
    i, j = rows(motion, slice(count)), rows(motion, slice(count, None))
    made = networks.image(networks.appearance(first), i.keypoints(), driven(i, j, i))
    seen = head_motion(networks.motion, resize(full(made), first.shape[-1]))
    return {"expression_kept": _ratio(seen.delta, i.delta, j.delta),
            "pose_followed": _ratio(seen.angles_deg, j.angles_deg, i.angles_deg),
            "delta_spread": motion.delta.std(0).mean().item()}


def _ratio(seen: Tensor, wanted: Tensor, other: Tensor) -> float:
    """Root mean square of seen - wanted over that of other - wanted."""
    scale = functional.mse_loss(other, wanted).sqrt().clamp(min=1e-12)
    return (functional.mse_loss(seen, wanted).sqrt() / scale).item()
