"""What a bundle names, made ready: the talking head, and what `animate` needs beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.face.face import FaceDetector
from models.generation.talking_head import TalkingHead
from models.judges.voice import VoiceActivity
from models.speech.encoder import SpeechEncoder
from pipeline.components.bundle import Bundle, bundle_digest, load_bundle
from pipeline.components.detector import portrait_detector
from pipeline.components.face_space import face_space_near, make_face_space
from pipeline.components.speech import make_speech_encoder
from pipeline.compute.device import which_device
from pipeline.core.data_params import Speech
from pipeline.weights.table import weight_path


@dataclass(frozen=True)
class Model:
    """The talking head of a bundle, the encoder of its speech, a detector of portraits, its name, and who hears where
    nobody speaks."""

    head: TalkingHead
    encoder: SpeechEncoder
    detector: FaceDetector
    version: str
    voice: VoiceActivity


def load_head(folder: Path, face_space_folder: Path | None = None, device: str = "cpu") -> TalkingHead:
    """Face space and generator of a bundle on `device`; raises BundleError, WeightsError, FileNotFoundError,
    ValueError."""
    return _head(load_bundle(folder), folder, face_space_folder, device)


def load_model(folder: Path, face_space_folder: Path | None = None, detector: str | None = None) -> Model:
    """A bundle with all that `animate` needs, on the GPU that is there; raises what `load_head` raises, and ValueError
    for an unknown detector."""
    bundle, device = load_bundle(folder), which_device()
    config = bundle.config
    return Model(_head(bundle, folder, face_space_folder, device), make_speech_encoder(Speech(**config.speech), device),
                 portrait_detector(detector, config.face_space), version_name(bundle, folder),
                 VoiceActivity(weight_path("silero_vad")))


def version_name(bundle: Bundle, folder: Path) -> str:
    """What generated files say about their model: profile, stage, digest of the bundle."""
    return f"{bundle.config.profile}/{bundle.config.stage}/{bundle_digest(folder)[:12]}"


def _head(bundle: Bundle, folder: Path, face_space_folder: Path | None, device: str) -> TalkingHead:
    space = make_face_space(bundle.config.face_space, face_space_folder or face_space_near(folder), device)
    return TalkingHead(space, bundle.generator(device))
