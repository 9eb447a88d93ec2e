"""Read LivePortrait's published files, strictly: every key and shape must fit, and no pickle is run.

A folder holds `base_models/<network>.pth` and `retargeting_models/stitching_retargeting_module.pth` as in the
release (Hugging Face KwaiVGI/LivePortrait, folder liveportrait/), or the same files side by side; `.safetensors` of
the same keys are taken as well.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from models.liveportrait.networks import Networks

FILES = {"appearance": "appearance_feature_extractor", "motion": "motion_extractor", "warping": "warping_module",
         "generator": "spade_generator"}
RETARGETING_FILE = "stitching_retargeting_module"
RETARGETING = {"stitching": "retarget_shoulder", "lip": "retarget_mouth", "eye": "retarget_eye"}
SUFFIXES = (".safetensors", ".pth")
SHOWN = 8  # keys of each kind in a message


class CheckpointError(ValueError):
    """A file of weights cannot be used; the message names the file and the keys."""


def load_official(networks: Networks, folder: Path) -> list[Path]:
    """Load every network from the release's files; returns them. Raises CheckpointError."""
    paths = official_files(folder)
    for name in FILES:
        load_strictly(networks.get_submodule(name), read_tensors(paths[name]), paths[name].name)
    parts = _retargeting_parts(read_tensors(paths["retargeting"], nested=True), paths["retargeting"].name)
    for name, tensors in parts.items():
        load_strictly(networks.retargeting.get_submodule(name), tensors,
                      f"{paths['retargeting'].name}: {RETARGETING[name]}")
    return list(paths.values())


def official_files(folder: Path) -> dict[str, Path]:
    """The files by network; raises CheckpointError that lists all that are missing."""
    names = {**FILES, "retargeting": RETARGETING_FILE}
    found, missing = {}, []
    for network, name in names.items():
        places = [Path(folder) / sub / f"{name}{suffix}" for sub in ("base_models", "retargeting_models", "")
                  for suffix in SUFFIXES]
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            missing.append(f"{name}.pth")
        else:
            found[network] = path
    if missing:
        raise CheckpointError(f"{folder} lacks {', '.join(missing)}: it must hold LivePortrait's base_models/ and "
                              "retargeting_models/")
    return found


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
    said = [f"{kind}: {_listed(keys)}" for kind, keys in problems.items() if keys]
    if said:
        raise CheckpointError(f"{name} does not fit the network; " + "; ".join(said))
    network.load_state_dict(tensors)


def _retargeting_parts(tensors: Mapping[str, Tensor], name: str) -> dict[str, dict[str, Tensor]]:
    """The three state dicts; their keys carry the prefix of a distributed training, `module.`."""
    parts: dict[str, dict[str, Tensor]] = {network: {} for network in RETARGETING}
    by_prefix = {prefix: network for network, prefix in RETARGETING.items()}
    for key, value in tensors.items():
        prefix, _, rest = key.partition(".")
        if prefix not in by_prefix:
            raise CheckpointError(f"{name} does not fit the networks; unexpected: {key}")
        parts[by_prefix[prefix]][rest.removeprefix("module.")] = value
    return parts


def _listed(keys: list[str]) -> str:
    more = len(keys) - SHOWN
    return ", ".join(keys[:SHOWN]) + (f" and {more} more" if more > 0 else "")
