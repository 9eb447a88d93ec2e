"""Make the parts that `params.yaml` names, with their weights; each seam's choice is made here and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from models.motion.face_space import FaceSpace
from models.speech.encoder import SpeechEncoder
from pipeline.core.config import UNTRAINED, Speech
from pipeline.core.config import FaceSpace as FaceSpaceParams
from pipeline.core.fingerprint import code_of, file_sha256
from pipeline.weights.table import WeightsError, weight_path, weight_sha256

if TYPE_CHECKING:
    from models.liveportrait.networks import Networks

FACE_SPACE_JSON, FACE_SPACE_TENSORS = "face_space.json", "face_space.safetensors"
SPEECH_WEIGHTS = {"whisper": "whisper_tiny_en", "wav2vec2": "wav2vec2_base_960h", "hubert": "hubert_base_ls960"}
CHECKPOINT_SUFFIXES = {".json", ".safetensors", ".bin"}


def make_speech_encoder(section: Speech) -> SpeechEncoder:
    """Load the encoder of `params.speech`; raises WeightsError, or ValueError where checkpoint and layer do not fit."""
    if section.kind == "whisper":
        from models.speech.whisper import WhisperSpeechEncoder

        return WhisperSpeechEncoder(_whisper_path(section), section.layer, section.piece_s, section.overlap_s)
    from models.speech.huggingface import HuggingFaceSpeechEncoder
    from models.speech.untrained import untrained_network

    source = untrained_network(section.kind) if section.untrained else _checkpoint(section)
    return HuggingFaceSpeechEncoder(source, section.layer, section.piece_s, section.overlap_s)


def speech_identity(section: Speech) -> dict:
    """What the features depend on besides code: parameters and the sha256 of the weights; raises WeightsError."""
    if section.kind == "whisper":
        path, pinned = _whisper_path(section), weight_sha256(SPEECH_WEIGHTS["whisper"])
        weights = {"whisper": pinned if section.checkpoint is None else file_sha256(path)}
    elif section.untrained:
        weights = {UNTRAINED: code_of("models.speech.untrained")}
    else:
        files = sorted(_checkpoint(section).iterdir())
        weights = {path.name: file_sha256(path) for path in files if path.suffix in CHECKPOINT_SUFFIXES}
    return {**section.model_dump(exclude={"checkpoint"}), "weights": weights}


def _whisper_path(section: Speech) -> Path:
    return Path(section.checkpoint) if section.checkpoint else weight_path(SPEECH_WEIGHTS["whisper"])


def _checkpoint(section: Speech) -> Path:
    folder = Path(section.checkpoint) if section.checkpoint else weight_path(SPEECH_WEIGHTS[section.kind])
    if not folder.is_dir():
        raise WeightsError(f"speech.checkpoint {folder} is missing")
    return folder


def make_face_space(kind: str, folder: Path) -> FaceSpace:
    """Load the face space whose bundle lies in `folder`; raises WeightsError, FileNotFoundError, ValueError."""
    described = _described(folder)
    if described["kind"] != kind:
        raise ValueError(f"{folder} holds the face space {described['kind']!r}, params.yaml asks for {kind!r}: run "
                         "`dvc repro face_space`")
    if kind == "liveportrait":
        return _liveportrait(folder, described)
    from safetensors.numpy import load_file

    from models.landmark.space import LandmarkFaceSpace

    return LandmarkFaceSpace(weight_path("face_landmarker"), load_file(folder / FACE_SPACE_TENSORS)["basis"])


def _liveportrait(folder: Path, described: dict) -> FaceSpace:
    import torch

    from models.liveportrait.checkpoint import load_strictly, read_tensors
    from models.liveportrait.networks import Networks
    from models.liveportrait.runtime import Runtime
    from models.liveportrait.space import LivePortraitFaceSpace
    from models.liveportrait.widths import PUBLISHED, TOY

    networks = Networks(TOY if described["untrained"] else PUBLISHED)
    load_strictly(networks, read_tensors(folder / FACE_SPACE_TENSORS), FACE_SPACE_TENSORS)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return LivePortraitFaceSpace(networks, Runtime(**described["runtime"]), device)


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


def face_space_identity(folder: Path) -> dict:
    """What motion depends on besides code: the bundle's own fingerprint; raises FileNotFoundError."""
    return {"kind": _described(folder)["kind"], "fingerprint": _described(folder)["fingerprint"]}


def _described(folder: Path) -> dict:
    path = folder / FACE_SPACE_JSON
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `dvc repro face_space`")
    return json.loads(path.read_text())
