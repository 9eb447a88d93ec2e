"""Make LivePortrait's networks ready for use: no gradients, chosen precision and memory layout, compiled or not."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils import remove_spectral_norm

from models.liveportrait.networks import Networks


@dataclass(frozen=True)
class Runtime:
    """How the networks run. bf16 is for F, W and G alone: M's motion is data, and its error would stay."""

    precision: str = "fp32"  # fp32 | bf16
    channels_last: bool = False
    compile: bool = False
    batch: int = 4  # pictures at once
    stitching: bool = True


def ready(networks: Networks, runtime: Runtime, device: str | torch.device) -> Networks:
    """Change `networks` in place for inference; spectral norms become plain weights, so training ends here."""
    if runtime.precision not in ("fp32", "bf16"):
        raise ValueError(f"precision is {runtime.precision!r}, expected fp32 or bf16")
    networks.eval().requires_grad_(False)
    for module in networks.generator.modules():
        if hasattr(module, "weight_orig"):
            remove_spectral_norm(module)
    rendering: tuple[nn.Module, ...] = (networks.appearance, networks.warping, networks.generator)
    if runtime.precision == "bf16":
        for network in rendering:
            network.to(torch.bfloat16)
    if runtime.channels_last:
        for network in (*rendering, networks.motion):
            _channels_last(network)
    networks.to(device)  # as they are to be: half the bytes travel
    if runtime.compile:
        for network in (*rendering, networks.motion):
            network.compile()
    return networks


def _channels_last(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)
        elif isinstance(module, nn.Conv3d):
            module.to(memory_format=torch.channels_last_3d)
