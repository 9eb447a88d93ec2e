"""The parts of an animator that a bundle names: face space, speech encoder, generator, face detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.face.detectors import FaceDetector, InsightFaceDetector, MediaPipeDetector
from models.judges.voice import VoiceActivity
from pipeline.components.bundle import Bundle, bundle_digest, load_bundle
from pipeline.components.face_space import FACE_SPACE_JSON, make_face_space, make_speech_encoder
from pipeline.core import paths
from pipeline.core.config import Speech
from pipeline.weights.table import WeightsError, weight_path

DETECTOR_PX = 640   # a portrait is looked at once, so the larger picture costs nothing
DETECTOR_OF_SPACE = {"liveportrait": "buffalo_l"}  # LivePortrait comes with it; everything else: the embedded SCRFD
DETECTORS = ("insightface", "buffalo_l", "mediapipe")  # as in `preprocess.detector`


def load_parts(folder: Path, face_space_folder: Path | None, detector: str | None = None,
               device: str = "cpu") -> dict[str, Any]:
    """Arguments of `Animator` for a bundle; raises BundleError, WeightsError, FileNotFoundError, ValueError."""
    if detector not in (None, *DETECTORS):
        raise ValueError(f"unknown detector {detector!r}: accepted are {', '.join(DETECTORS)}")
    bundle = load_bundle(folder)
    config = bundle.config
    return {
        "space": make_face_space(config.face_space, face_space_folder or _face_space_near(folder)),
        "encoder": make_speech_encoder(Speech(**config.speech)),
        "generator": bundle.generator(device),
        "detector": make_detector(detector or DETECTOR_OF_SPACE.get(config.face_space, "insightface")),
        "voice": VoiceActivity(weight_path("silero_vad")),
        "version": version_name(bundle, folder),
    }


def version_name(bundle: Bundle, folder: Path) -> str:
    """What generated files say about their model: profile, stage, digest of the bundle."""
    return f"{bundle.config.profile}/{bundle.config.stage}/{bundle_digest(folder)[:12]}"


def _face_space_near(folder: Path) -> Path:
    """A face space travels beside its bundle or inside it; in the project it has a place of its own."""
    places = [folder / "face_space", folder.parent / "face_space", paths.FACE_SPACE]
    for place in places:
        if (place / FACE_SPACE_JSON).is_file():
            return place
    raise FileNotFoundError(f"no face space for the bundle {folder}: looked in {', '.join(map(str, places))}")


def make_detector(name: str) -> FaceDetector:
    """A detector of `DETECTORS` for single pictures; raises WeightsError where its file is not there."""
    if name == "mediapipe":
        return MediaPipeDetector(weight_path("face_landmarker"))
    if name == "insightface":
        return InsightFaceDetector(weight_path("scrfd"), DETECTOR_PX)
    pack = weight_path("buffalo_l")
    found = sorted(pack.glob("det_*.onnx"))
    if not found:
        raise WeightsError(f"{pack} holds no det_*.onnx: unpack buffalo_l.zip there")
    landmarks = pack / "2d106det.onnx"
    return InsightFaceDetector(found[0], DETECTOR_PX, landmarks if landmarks.is_file() else None)
