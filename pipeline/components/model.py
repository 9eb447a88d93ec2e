"""What a bundle names, made ready: the talking head, and what `animate` needs beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.face.face import FaceDetector
from models.face.scrfd import ScrfdDetector
from models.generation.talking_head import TalkingHead
from models.judges.voice import VoiceActivity
from models.speech.encoder import SpeechEncoder
from models.speech.whisper import SPEECH_WEIGHTS as SPEECH_TENSORS
from pipeline.components.bundle import BundleConfig, bundle_digest, load_bundle, read_config
from pipeline.components.detector import detector_files, make_detector
from pipeline.components.face_space import face_space_near, make_face_space
from pipeline.components.graphs import (
    graph_face_space,
    graph_generator,
    graph_speech_encoder,
    has_graphs,
    speech_options,
)
from pipeline.components.speech import SPEECH_WEIGHTS, make_speech_encoder
from pipeline.compute.device import which_device
from pipeline.weights.table import weight_path

PORTRAIT_PX = 640   # a portrait is looked at once, so the larger picture costs nothing
OF_SPACE = {"liveportrait": "buffalo_l"}  # LivePortrait comes with it; everything else: the embedded SCRFD


@dataclass(frozen=True)
class Model:
    """The talking head of a bundle, the encoder of its speech, a detector of portraits, its name, and who hears where
    nobody speaks."""

    head: TalkingHead
    encoder: SpeechEncoder
    detector: FaceDetector
    version: str
    voice: VoiceActivity


def load_head(folder: Path, face_space_folder: Path | None = None, device: str = "cpu",
              provider: str = "cpu") -> TalkingHead:
    """Face space and generator of a bundle: where it was exported, ONNX Runtime runs the generator by `provider`, else
    PyTorch on `device`.

    Raises BundleError, WeightsError, FileNotFoundError, ValueError.
    """
    config, place = read_config(folder), face_space_folder or face_space_near(folder)
    drawn_by_graphs = config.face_space == "liveportrait" and has_graphs(place)
    space = graph_face_space(place, provider) if drawn_by_graphs else make_face_space(config.face_space, place, device)
    if has_graphs(folder):
        return TalkingHead(space, graph_generator(folder, provider))
    if provider != "cpu":
        raise ValueError(f"--provider {provider}: {folder} holds no graphs; `playmate export` makes them")
    return TalkingHead(space, load_bundle(folder).generator(device))


def load_model(folder: Path, face_space_folder: Path | None = None, detector: str | None = None,
               provider: str = "cpu") -> Model:
    """A bundle with all that `animate` needs: an exported one by ONNX Runtime's `provider`, any other one by PyTorch,
    on the GPU that is there; raises what `load_head` raises, and ValueError for an unknown detector."""
    config = read_config(folder)
    exported = has_graphs(folder)
    place = face_space_folder or face_space_near(folder)
    # asking for the device loads PyTorch
    device = "cpu" if exported and (config.face_space == "landmark" or has_graphs(place)) else which_device()
    encoder = (graph_speech_encoder(folder, speech_options(config), provider) if exported
               else _speech_encoder(config, device))
    return Model(load_head(folder, place, device, provider), encoder,
                 portrait_detector(detector, config.face_space), version_name(config, folder),
                 VoiceActivity(weight_path("silero_vad")))


def _speech_encoder(config: BundleConfig, device: str) -> SpeechEncoder:
    from pipeline.core.data_params import Speech

    return make_speech_encoder(Speech(**config.speech), device)


def portrait_detector(name: str | None, face_space: str) -> FaceDetector:
    """The detector of portraits: the one of this name, or the one that fits the face space; raises as
    `detector_files`."""
    name = name or OF_SPACE.get(face_space, "insightface")
    if name == "insightface":
        return ScrfdDetector(detector_files(name).network, PORTRAIT_PX)
    return make_detector(name, PORTRAIT_PX)


def weights_of(folder: Path) -> list[str]:
    """Rows of the weights table that `load_model` opens for a bundle."""
    config = read_config(folder)
    landmark = config.face_space == "landmark"
    with_speech = config.speech["checkpoint"] is None and not (folder / SPEECH_TENSORS).is_file()
    faces = ["scrfd", "face_landmarker"] if landmark else [OF_SPACE[config.face_space]]
    return ["silero_vad", *faces, *([SPEECH_WEIGHTS[config.speech["kind"]]] if with_speech else [])]


def version_name(config: BundleConfig, folder: Path) -> str:
    """What generated files say about their model: profile, stage, digest of the bundle."""
    return f"{config.profile}/{config.stage}/{bundle_digest(folder)[:12]}"
