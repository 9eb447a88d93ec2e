"""The face space that `params.yaml` or a bundle names, with its weights: made here and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from models.motion.face_space import FaceSpace
from pipeline.core import paths
from pipeline.weights.table import WeightsError, weight_path

if TYPE_CHECKING:
    from models.liveportrait.networks import Networks
    from pipeline.core.model_params import FaceSpace as FaceSpaceParams

FACE_SPACE_JSON, FACE_SPACE_TENSORS = "face_space.json", "face_space.safetensors"


def make_face_space(kind: str, folder: Path, device: str) -> FaceSpace:
    """Load the face space whose bundle lies in `folder`, networks of PyTorch on `device`; raises WeightsError,
    FileNotFoundError, ValueError."""
    described = face_space_description(folder)
    if described["kind"] != kind:
        raise ValueError(f"{folder} holds the face space {described['kind']!r}, params.yaml asks for {kind!r}: run "
                         "`dvc repro face_space`")
    if kind == "liveportrait":
        return _liveportrait(folder, described, device)
    from safetensors.numpy import load_file

    from models.landmark.space import LandmarkFaceSpace

    return LandmarkFaceSpace(weight_path("face_landmarker"), load_file(folder / FACE_SPACE_TENSORS)["basis"])


def _liveportrait(folder: Path, described: dict, device: str) -> FaceSpace:
    from models.formats.state_dict import load_strictly, read_tensors
    from models.liveportrait.networks import Networks
    from models.liveportrait.runtime import Runtime
    from models.liveportrait.torch_space import torch_space
    from models.liveportrait.widths import PUBLISHED, TOY

    networks = Networks(TOY if described["untrained"] else PUBLISHED)
    load_strictly(networks, read_tensors(folder / FACE_SPACE_TENSORS), FACE_SPACE_TENSORS)
    return torch_space(networks, Runtime(**described["runtime"]), device)


def make_networks(section: FaceSpaceParams, seed: int) -> Networks:
    """LivePortrait's networks as `params.face_space` names them: the published weights, or a seeded toy.

    Raises WeightsError, CheckpointError.
    """
    from models.liveportrait.checkpoint import load_official
    from models.liveportrait.networks import Networks, seeded_networks
    from models.liveportrait.widths import PUBLISHED, TOY

    if section.untrained:
        return seeded_networks(TOY, seed)
    networks = Networks(PUBLISHED).eval()
    load_official(networks, liveportrait_folder(section))
    return networks


def liveportrait_folder(section: FaceSpaceParams) -> Path:
    """Where the released files lie; raises WeightsError."""
    if section.checkpoint is None:
        return weight_path("liveportrait")
    folder = Path(section.checkpoint)
    if not folder.is_dir():
        raise WeightsError(f"face_space.checkpoint {folder} is missing: it must hold LivePortrait's base_models/ and "
                           "retargeting_models/")
    return folder


def face_space_near(bundle: Path) -> Path:
    """A face space travels beside its bundle or inside it; in the project it has a place of its own.

    Raises FileNotFoundError.
    """
    places = [bundle / "face_space", bundle.parent / "face_space", paths.FACE_SPACE]
    for place in places:
        if (place / FACE_SPACE_JSON).is_file():
            return place
    raise FileNotFoundError(f"no face space for the bundle {bundle}: looked in {', '.join(map(str, places))}")


def face_space_identity(folder: Path) -> dict:
    """What pictures depend on besides code: the bundle's own fingerprint; raises FileNotFoundError."""
    described = face_space_description(folder)
    return {"kind": described["kind"], "fingerprint": described["fingerprint"]}


def motion_identity(folder: Path) -> dict:
    """What motion depends on besides code: what the extractor reads of the bundle; raises FileNotFoundError.

    How the networks run (precision of the renderer, stitching, layout) is no part of it: M computes in float32, and
    what batches and layouts move is rounding.
    """
    described = face_space_description(folder)
    if "motion" not in described:
        raise FileNotFoundError(f"{folder / FACE_SPACE_JSON} was written by older code: run `dvc repro face_space`")
    return {"kind": described["kind"], "motion": described["motion"]}


def face_space_description(folder: Path) -> dict:
    """All of face_space.json; raises FileNotFoundError."""
    path = folder / FACE_SPACE_JSON
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `dvc repro face_space`")
    return json.loads(path.read_text())
