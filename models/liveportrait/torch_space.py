"""The `liveportrait` face space whose networks PyTorch runs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.liveportrait.networks import HeadMotion, Networks
from models.liveportrait.runtime import Runtime, ready
from models.liveportrait.space import LivePortraitFaceSpace


def torch_space(networks: Networks, runtime: Runtime | None = None, device: str = "cpu") -> LivePortraitFaceSpace:
    """The face space over `networks`, which are made ready for inference in place."""
    return LivePortraitFaceSpace(TorchRunner(networks, runtime or Runtime(), device))


class TorchRunner:
    """`models.liveportrait.space.Runner` by PyTorch; F's volume is [1, C, D, 64, 64]."""

    def __init__(self, networks: Networks, runtime: Runtime, device: str):
        self.runtime, self.device = runtime, torch.device(device)
        self.networks = ready(networks, runtime, self.device)
        self.batch = runtime.batch
        self._dtype = torch.bfloat16 if runtime.precision == "bf16" else torch.float32

    @torch.inference_mode()
    def motion(self, pictures: np.ndarray) -> np.ndarray:
        """As in `Runner`."""
        return flatten_motion(self.networks.head_motion(self._pictures(pictures))).float().cpu().numpy()

    @torch.inference_mode()
    def volume(self, picture: np.ndarray) -> Tensor:
        """As in `Runner`."""
        return self.networks.appearance(self._pictures(picture).to(self._dtype))

    @torch.inference_mode()
    def images(self, volume: Tensor, source: np.ndarray, driving: np.ndarray) -> np.ndarray:
        """As in `Runner`."""
        count, x_driving = len(driving), self._tensor(driving)
        if self.runtime.compile and count < self.batch:  # one shape, or it would be compiled again
            x_driving = x_driving[torch.arange(self.batch, device=self.device).clamp(max=count - 1)]
        x_source = self._tensor(source).expand_as(x_driving)
        if self.runtime.stitching:
            x_driving = self.networks.retargeting.stitch(x_source, x_driving)
        images = self.networks.image(volume.expand(len(x_driving), *volume.shape[1:]), x_source, x_driving)[:count]
        return (images.float() * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()

    def _pictures(self, frames: np.ndarray) -> Tensor:
        return torch.from_numpy(frames).to(self.device).permute(0, 3, 1, 2).float() / 255

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, device=self.device)


def flatten_motion(motion: HeadMotion) -> Tensor:
    """[B, 63 + 63 + 3 + 3 + 1]: x_c, delta, angles, t, s."""
    values = (motion.x_c, motion.delta, motion.angles_deg, motion.t, motion.s)
    return torch.cat([value.flatten(1) for value in values], 1)
