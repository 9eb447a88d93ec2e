"""Pictures through a network batch by batch: on its device one batch at a time, the answers on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor


@torch.inference_mode()
def in_batches(network: Callable[..., Tensor], batches: Iterable[tuple[Tensor, ...]]) -> np.ndarray:
    """The network's answers [n, ...] to the tensors of each batch, joined -> [N, ...]."""
    return torch.cat([network(*batch).cpu() for batch in batches]).numpy()


def slices(count: int, batch: int) -> Iterator[slice]:
    """[0, count) in steps of `batch`."""
    return (slice(start, start + batch) for start in range(0, count, batch))


def channels_first(pictures: np.ndarray, device: str) -> Tensor:
    """uint8 [N, H, W, 3] -> float [N, 3, H, W], 0 to 255, on `device`; bytes are what travels."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).to(device).permute(0, 3, 1, 2).float()
