"""The plain process as a training context; `training/ray_train.py` has the one of a Ray worker."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn


class PlainContext:
    """One process, all of the batch; `report` gets every logged row."""

    rank = 0
    world_size = 1

    def __init__(self, device: str = "cpu", report: Callable[[dict[str, float]], None] = lambda metrics: None):
        self.device = torch.device(device)
        self.report = report

    def wrap(self, model: nn.Module) -> nn.Module:
        return model

    def sync_gradients(self, parameters: list[nn.Parameter]) -> None:
        pass

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        return values
