"""Weights and inputs by rule, so that outputs of published networks can be stored without their weights.

Every tensor depends on its key and shape alone: a Philox stream with the key's crc32 as its key gives standard normal
noise, scaled by what the tensor is for. A network with the published keys and shapes, filled so, must give the outputs
that the published network gave, filled so (stored in the .npz files beside this one).
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

FOLDER = Path(__file__).parent


def stored(name: str) -> dict[str, np.ndarray]:
    """The stored outputs of one file."""
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as file:
        return dict(file)


def fill(network: nn.Module, prefix: str = "") -> nn.Module:
    """Give every tensor its values, strictly, in evaluation mode; `prefix` is cut from the keys before the rule."""
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    values = {key: values_of(key.removeprefix(prefix), shape) for key, shape in shapes.items()}
    for key in shapes:
        if key.endswith("weight_v"):  # a power iteration that has converged: sigma is near one
            stem = key.removesuffix("weight_v")
            rows = values[stem + "weight_u"]
            direction = values[stem + "weight_orig"].reshape(len(rows), -1).T @ rows
            values[key] = direction / np.linalg.norm(direction)
    network.load_state_dict({key: torch.from_numpy(np.asarray(value)) for key, value in values.items()}, strict=True)
    return network.eval()


def values_of(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The values of one tensor."""
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    noise = _stream(key).standard_normal(shape).astype(np.float32)
    last = key.rpartition(".")[2]
    if last == "running_mean" or last in ("bias", "beta", "gamma"):
        return 0.1 * noise
    if last == "running_var":
        return 1.0 + 0.1 * np.abs(noise)
    if last in ("weight_u", "weight_v"):
        return noise / np.linalg.norm(noise)
    if len(shape) >= 2:
        return noise / math.sqrt(math.prod(shape[1:]))
    return 1.0 + 0.1 * noise


def network_input(name: str, shape: tuple[int, ...], low: float, high: float) -> Tensor:
    """Uniform in [low, high), by the input's name."""
    values = low + (high - low) * _stream("input:" + name).random(shape)
    return torch.from_numpy(values.astype(np.float32))


def relative_error(found: Tensor, wanted: np.ndarray) -> float:
    """Largest difference as a share of the largest wanted magnitude; shapes must be the same."""
    assert tuple(found.shape) == wanted.shape, (tuple(found.shape), wanted.shape)
    return float(np.abs(found.detach().numpy() - wanted).max() / np.abs(wanted).max())


def _stream(key: str) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=zlib.crc32(key.encode())))
