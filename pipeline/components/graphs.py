"""An exported bundle: one with graphs beside its weights, which ONNX Runtime runs without PyTorch.

    graphs.json            version of this layout, digest of the bundle, how far the graphs were from PyTorch
    audio.onnx, branches.onnx, emotion_branches.onnx    models/generation/graph_network.py; weights in model.safetensors
    speech.onnx            models/speech/whisper.py, models/speech/graph_states.py; weights in speech.safetensors, or,
                           where Whisper's is not there, in the file of the weights table

A face space whose networks were exported has a graphs.json, too, and the files of models/liveportrait/graph_runner.py.
`pipeline.export` writes both.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models.formats.onnx import providers_of
from models.generation.generator import MotionGenerator
from models.generation.graph_network import GraphNetwork
from models.motion.face_space import FaceSpace
from models.motion.normalization import MotionStatistics
from models.speech.encoder import SpeechEncoder
from models.speech.graph_states import GraphSpeechEncoder
from models.speech.whisper import SPEECH, SPEECH_WEIGHTS, GraphWhisper, WhisperSpeechEncoder
from models.speech.whisper_weights import read_whisper
from pipeline.components.bundle import WEIGHTS, BundleConfig, BundleError, bundle_digest, make_generator, read_config
from pipeline.components.face_space import face_space_description
from pipeline.components.speech import whisper_path

if TYPE_CHECKING:
    from pipeline.core.data_params import Speech

GRAPHS, VERSION = "graphs.json", 1


@dataclass(frozen=True)
class SpeechOptions:
    """The `speech` section of an exported bundle, as in `pipeline.core.data_params.Speech`: it was checked before it
    was trained with, and pydantic would take longer to import than the graphs to load."""

    kind: str
    checkpoint: str | None
    layer: int
    piece_s: float
    overlap_s: float


def speech_options(config: BundleConfig) -> SpeechOptions:
    """Raises BundleError for other keys."""
    try:
        return SpeechOptions(**config.speech)
    except TypeError as error:
        raise BundleError(f"the section `speech` of the bundle cannot be used: {error}") from error


def has_graphs(folder: Path) -> bool:
    """Whether a bundle, or LivePortrait's face space, was exported."""
    return (Path(folder) / GRAPHS).is_file()


def graph_generator(folder: Path, provider: str) -> MotionGenerator:
    """The generator of an exported bundle; raises BundleError for graphs of another bundle, ValueError."""
    from safetensors import safe_open

    folder = Path(folder)
    check_graphs(folder)
    config = read_config(folder)
    with safe_open(folder / WEIGHTS, framework="np") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()  # noqa: SIM118
                  if name.startswith(("statistics.", "model.motion_mask", "model.identity_norm."))}
    statistics = MotionStatistics.from_tensors({name.removeprefix("statistics."): value
                                                for name, value in stored.items()})
    faces = stored["model.identity_norm.mean"].astype("f4"), stored["model.identity_norm.std"].astype("f4")
    network = GraphNetwork(folder, config.model, stored["model.motion_mask"].astype("f4"), faces,
                           providers_of(provider))
    return make_generator(config, network, statistics)


def graph_speech_encoder(folder: Path, section: Speech | SpeechOptions, provider: str) -> SpeechEncoder:
    """The speech encoder of an exported bundle; raises WeightsError, ValueError."""
    if section.kind != "whisper":
        return GraphSpeechEncoder(folder / SPEECH, folder / SPEECH_WEIGHTS, section.kind, section.piece_s,
                                  section.overlap_s, providers_of(provider))
    weights = None if (folder / SPEECH_WEIGHTS).is_file() else read_whisper(
        whisper_path(section.checkpoint)).up_to(section.layer)
    states = GraphWhisper(folder / SPEECH, providers_of(provider), weights)
    return WhisperSpeechEncoder(states, section.layer, section.piece_s, section.overlap_s)


def graph_face_space(folder: Path, provider: str) -> FaceSpace:
    """LivePortrait's exported face space; raises BundleError for graphs of another one, ValueError."""
    from models.liveportrait.graph_runner import GraphRunner
    from models.liveportrait.space import LivePortraitFaceSpace

    described, graphs = face_space_description(folder), json.loads((folder / GRAPHS).read_text())
    if (graphs.get("version"), graphs.get("face_space")) != (VERSION, described["fingerprint"]):
        raise BundleError(f"{folder}: its graphs were made from another face space, or by other code: export it again; "
                          f"without {GRAPHS} PyTorch runs it")
    return LivePortraitFaceSpace(GraphRunner(folder, described["runtime"]["batch"], providers_of(provider)))


def check_graphs(folder: Path) -> None:
    """Raise BundleError where graphs are of another version or belong to another bundle."""
    described = json.loads((folder / GRAPHS).read_text())
    if described.get("version") != VERSION:
        raise BundleError(f"{folder / GRAPHS}: version {described.get('version')}, this code reads {VERSION}: export "
                          "the bundle again")
    if described.get("bundle") != bundle_digest(folder):
        raise BundleError(f"{folder}: its graphs were made from another bundle; `playmate export {folder} -o {folder}` "
                          f"makes them anew, and without {GRAPHS} PyTorch runs it")
