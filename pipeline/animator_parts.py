"""The parts of an animator that a bundle names: face space, speech encoder, generator, face detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.detectors import FaceDetector, InsightFaceDetector
from pipeline import paths
from pipeline.bundle import Bundle, bundle_digest, load_bundle
from pipeline.components import FACE_SPACE_JSON, make_face_space, make_speech_encoder
from pipeline.config import Speech
from pipeline.weights import weight_path

DETECTOR_PX = 640   # a portrait is looked at once, so the larger picture costs nothing


def load_parts(folder: Path, face_space_folder: Path | None, device: str = "cpu") -> dict[str, Any]:
    """Arguments of `Animator` for a bundle; raises BundleError, WeightsError, FileNotFoundError, ValueError."""
    bundle = load_bundle(folder)
    config = bundle.config
    return {
        "space": make_face_space(config.face_space, face_space_folder or _face_space_near(folder)),
        "encoder": make_speech_encoder(Speech(**config.speech)),
        "generator": bundle.generator(device),
        "detector": _detector(config.face_space),
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


def _detector(face_space: str) -> FaceDetector:
    """LivePortrait comes with InsightFace's buffalo_l, everything else uses the embedded SCRFD."""
    return InsightFaceDetector(weight_path("buffalo_l" if face_space == "liveportrait" else "scrfd"), DETECTOR_PX)
