"""Weights without a file: every tensor's values follow from its name and shape, so that two implementations of one
network with the same names give the same output. The stored outputs in tests/golden are the published networks'."""

from __future__ import annotations

import math
import zlib

import numpy as np
import torch


def values(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Philox(crc32(key)) normals, scaled by the role of the tensor so that activations stay near one."""
    noise = np.random.Generator(np.random.Philox(key=zlib.crc32(key.encode()))).standard_normal(shape)
    noise = noise.astype(np.float32)
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if key.endswith("running_var"):
        return 1.0 + 0.1 * np.abs(noise)
    if len(shape) >= 2:
        return noise / math.sqrt(math.prod(shape[1:]))
    return 0.1 * noise if key.endswith(("bias", "running_mean")) else 1.0 + 0.1 * noise


def filled(network: torch.nn.Module) -> torch.nn.Module:
    """`network` in evaluation mode with values from its keys."""
    state = {key: torch.from_numpy(np.asarray(values(key, tuple(value.shape))))
             for key, value in network.state_dict().items()}
    network.load_state_dict(state, strict=True)
    return network.eval()


def picture(name: str, shape: tuple[int, ...], low: float, high: float) -> torch.Tensor:
    """The input called `name`, uniform in [low, high)."""
    random = np.random.Generator(np.random.Philox(key=zlib.crc32(("input:" + name).encode())))
    return torch.from_numpy((low + (high - low) * random.random(shape)).astype(np.float32))
