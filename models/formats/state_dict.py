"""Files of weights, read strictly: every key and shape must fit, every number be finite, and no pickle is run."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

SHOWN = 8  # keys of each kind in a message


class CheckpointError(ValueError):
    """A file of weights cannot be used; the message names the file and the keys."""


def read_tensors(path: Path, nested: bool = False) -> dict[str, Tensor]:
    """A flat state dict; `nested` joins one level of dicts by dots. Raises CheckpointError."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, pickle.UnpicklingError, SafetensorError) as error:
        raise CheckpointError(f"{path} cannot be read as a file of weights: "
                              f"{str(error).splitlines()[0] if str(error) else type(error).__name__}") from error
    if nested and isinstance(content, Mapping):
        content = {f"{name}.{key}": value for name, part in content.items() if isinstance(part, Mapping)
                   for key, value in part.items()}
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise CheckpointError(f"{path} holds no state dict")
    return dict(content)


def load_strictly(network: nn.Module, tensors: Mapping[str, Tensor], name: str) -> None:
    """Load `tensors` into `network`; raises CheckpointError naming missing, unexpected, wrong-shaped, broken keys."""
    wanted = network.state_dict()
    shapes = [f"{key} is {list(tensors[key].shape)}, not {list(wanted[key].shape)}"
              for key in sorted(wanted.keys() & tensors.keys()) if tensors[key].shape != wanted[key].shape]
    broken = [key for key, value in tensors.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    problems = {"missing": sorted(wanted.keys() - tensors.keys()), "unexpected": sorted(tensors.keys() - wanted.keys()),
                "wrong shape": shapes, "not finite": sorted(broken)}
    said = [f"{kind}: {_list(keys)}" for kind, keys in problems.items() if keys]
    if said:
        raise CheckpointError(f"{name} does not fit the network; " + "; ".join(said))
    network.load_state_dict(tensors)


def _list(keys: list[str]) -> str:
    more = len(keys) - SHOWN
    return ", ".join(keys[:SHOWN]) + (f" and {more} more" if more > 0 else "")
