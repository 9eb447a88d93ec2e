"""A fitted face space stays as it is until it is asked to be fitted again, so that one more clip costs one clip.

Asked for are its keys of `face_space` and the files it starts from; clips and code are not. `face_space.refit` is a
number of the user's own: another one asks for the same anew, on the clips that are there by then. The bundle in
data/face_space is its own memory: DVC leaves it in place (`persist`), pulls it and pushes it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.face.points import KEYPOINTS
from pipeline.components.face_space import FACE_SPACE_JSON, FACE_SPACE_TENSORS, liveportrait_folder
from pipeline.core.config import Params
from pipeline.core.fingerprint import code_of, digest, file_sha256
from pipeline.core.model_params import FaceSpace
from pipeline.weights.table import weight_path, weight_sha256


def fit_digest(params: Params) -> str:
    """Digest of what params.yaml wants of the fit; raises WeightsError."""
    section = params.face_space
    if section.kind == "landmark":
        return digest("landmark", weight_sha256("face_landmarker"), list(KEYPOINTS), section.max_clips, section.ridge,
                      section.frame_stride, section.refit)
    tune: dict[str, Any] = {}
    if section.tune.steps:
        tune = section.tune.model_dump(exclude={"trainer", "log_every"})
        if not section.untrained:
            tune["weights"] = file_sha256(weight_path(section.tune.features))
    seed = params.seed if tune or section.untrained else None
    return digest("liveportrait", released_sha256(section), tune, seed, section.refit)


def released_sha256(section: FaceSpace) -> dict[str, str]:
    """sha256 of every released file; of an untrained space the digest of the code that seeds it."""
    if section.untrained:
        return {"untrained": code_of("models.liveportrait.networks")}
    from models.liveportrait.checkpoint import official_files  # torch, which the landmark space does without

    return {path.name: file_sha256(path) for path in official_files(liveportrait_folder(section)).values()}


def read_fit(folder: Path, asked: str) -> dict[str, Any] | None:
    """What the bundle in `folder` says of itself, where it is whole and the one that is asked for."""
    described, tensors = folder / FACE_SPACE_JSON, folder / FACE_SPACE_TENSORS
    if not described.is_file() or not tensors.is_file():
        return None
    found = json.loads(described.read_text())
    whole = found.get("asked") == asked and found.get("tensors") == file_sha256(tensors)
    return found if whole else None


def sentence(found: dict[str, Any]) -> str:
    """That nothing was fitted, and how to have it."""
    of = f" on {found['clips']} clips" if "clips" in found else ""
    return f"face_space: as it was fitted{of}; another `face_space.refit` fits it again, and all motion anew"
