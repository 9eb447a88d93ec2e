"""The model bundle: a folder with everything that animating needs, without the pipeline that trained it.

    bundle.json        versions of the format and of the Playmate that wrote it, model shape, diffusion, speech, face
                       space, sampling defaults, labels, fingerprints
    model.safetensors  network weights under `model.`, motion statistics under `statistics.`

Weights may be stored in float16; statistics never are.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.diffusion.schedule import alpha_bars
from models.generation.generator import MotionGenerator, MotionNetwork
from models.generation.request import SampleSettings
from models.motion.normalization import MotionStatistics
from models.transformer.shape import ModelShape
from pipeline.core.atomic import write_bytes, write_json
from pipeline.core.fingerprint import digest, file_sha256

if TYPE_CHECKING:  # an exported bundle is used without PyTorch
    from torch import Tensor

    from models.transformer.motion_transformer import MotionTransformer

VERSION = 4
READ = (1, 2, 3, VERSION)
CONFIG, WEIGHTS = "bundle.json", "model.safetensors"


class BundleError(ValueError):
    """A bundle cannot be used; the message says which file and why."""


@dataclass(frozen=True)
class BundleConfig:
    """All of `bundle.json` but its versions."""

    stage: str  # audio | emotion (the joint model)
    profile: str
    model: ModelShape
    diffusion: dict[str, Any]  # the `diffusion` section of params.yaml
    speech: dict[str, Any]  # the `speech` section
    face_space: str  # landmark | liveportrait
    sample: SampleSettings
    labels: tuple[str, ...]  # in the order of the emotion weights; of stage 1 too, where nothing uses them yet
    fingerprints: dict[str, str]  # of data, code and parameters


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle; `model` is on the CPU in float32 and evaluation mode."""

    config: BundleConfig
    model: MotionTransformer
    statistics: MotionStatistics

    def generator(self, device: str | None = None) -> MotionGenerator:
        """The model ready to generate on `device`; None: `which_device`."""
        from models.generation.torch_network import TorchNetwork
        from pipeline.compute.device import which_device

        return make_generator(self.config, TorchNetwork(self.model.to(device or which_device())), self.statistics)


def make_generator(config: BundleConfig, network: MotionNetwork, statistics: MotionStatistics) -> MotionGenerator:
    """The generator of a bundle whose network somebody runs."""
    alpha_bar = alpha_bars(config.diffusion["schedule"], config.diffusion["steps"])
    return MotionGenerator(network, alpha_bar, config.diffusion["target"], statistics, config.labels, config.sample)


def save_bundle(folder: Path, config: BundleConfig, weights: dict[str, Tensor], statistics: MotionStatistics,
                half: bool = False) -> None:
    """Write a bundle; `half` stores weights in float16. The same content gives the same bytes."""
    import torch
    from safetensors.torch import save

    stored = {f"model.{name}": (value.half() if half and value.is_floating_point() else value).cpu().contiguous()
              for name, value in weights.items()}
    stored |= {f"statistics.{name}": torch.from_numpy(np.array(value)) for name, value in statistics.tensors().items()}
    write_bytes(folder / WEIGHTS, save(stored))
    versions = {"version": VERSION, "playmate": installed_version("playmate-pipeline")}
    write_json(folder / CONFIG, versions | asdict(config))


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle; raises BundleError for a missing or altered file, an unknown version, other keys or shapes."""
    from models.formats.state_dict import CheckpointError, load_strictly, read_tensors
    from models.transformer.motion_transformer import MotionTransformer

    folder = Path(folder)
    config = read_config(folder)
    try:
        tensors = read_tensors(folder / WEIGHTS)
    except CheckpointError as error:
        raise BundleError(str(error)) from error
    model = MotionTransformer(config.model)
    try:
        load_strictly(model, _below(tensors, "model."), str(folder / WEIGHTS))
        statistics = MotionStatistics.from_tensors(
            {name: value.numpy() for name, value in _below(tensors, "statistics.").items()})
    except CheckpointError as error:
        raise BundleError(f"{error}; the network is that of {CONFIG}") from error
    except KeyError as error:
        raise BundleError(f"{folder / WEIGHTS}: the statistic {error} is missing") from error
    return Bundle(config, model.eval(), statistics)


def read_config(folder: Path) -> BundleConfig:
    """`bundle.json` alone; raises BundleError."""
    path = Path(folder) / CONFIG
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing: this folder is no model bundle") from error
    except ValueError as error:
        raise BundleError(f"{path} is not valid JSON: {error}") from error
    version = values.pop("version", None) if isinstance(values, dict) else None
    if version not in READ:
        raise BundleError(f"{path}: bundle version {version}, this code reads {', '.join(map(str, READ))}")
    if version in (3, VERSION):
        values.pop("playmate", None)  # for people: nothing is read differently by it
    _same_keys(values, BundleConfig, str(path))
    if version == 1:  # it knew no limit
        values["sample"]["identity_limit"] = math.inf
    if version < 3:  # eq. 8 as written
        values["sample"]["pose_share"] = 1.0
    if version < 4:  # one sample, as it is
        values["sample"] |= {"expression_samples": 1, "pose_gain": 1.0}
    _same_keys(values["model"], ModelShape, f"{path}: model")
    _same_keys(values["sample"], SampleSettings, f"{path}: sample")
    return BundleConfig(**{**values, "model": ModelShape(**values["model"]),
                           "sample": SampleSettings(**values["sample"]), "labels": tuple(values["labels"])})


def bundle_digest(folder: Path) -> str:
    """Digest of a bundle's two files."""
    return digest(*(file_sha256(Path(folder) / name) for name in (CONFIG, WEIGHTS)))


def trained_digest(folder: Path) -> str:
    """Digest of what a training that starts from this bundle takes from it; raises BundleError.

    All but how it samples and what it says of itself (profile, fingerprints).
    """
    config = asdict(read_config(folder))
    for name in ("sample", "profile", "fingerprints"):
        del config[name]
    return digest(config, file_sha256(Path(folder) / WEIGHTS))


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _same_keys(values: object, kind: type, where: str) -> None:
    wanted = {field.name for field in fields(kind)}
    found = set(values) if isinstance(values, dict) else set()
    if found != wanted:
        raise BundleError(f"{where}: missing keys {sorted(wanted - found)}, unknown keys {sorted(found - wanted)}")
