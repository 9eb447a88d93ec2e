"""Read LivePortrait's published files, strictly: every key and shape must fit, and no pickle is run.

A folder holds `base_models/<network>.pth` and `retargeting_models/stitching_retargeting_module.pth` as in the
release (Hugging Face KwaiVGI/LivePortrait, folder liveportrait/), or the same files side by side; `.safetensors` of
the same keys are taken as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from models.formats.state_dict import CheckpointError, load_strictly, read_tensors
from models.liveportrait.networks import Networks

FILES = {"appearance": "appearance_feature_extractor", "motion": "motion_extractor", "warping": "warping_module",
         "generator": "spade_generator"}
RETARGETING_FILE = "stitching_retargeting_module"
RETARGETING = {"stitching": "retarget_shoulder", "lip": "retarget_mouth", "eye": "retarget_eye"}
SUFFIXES = (".safetensors", ".pth")


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
