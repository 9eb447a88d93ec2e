"""The face detectors that `params.yaml` and `--detector` name, with their weights: made here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models.face.detectors import InsightFaceDetector, MediaPipeDetector
from models.face.face import FaceDetector
from pipeline.weights.table import WeightsError, weight_path

DETECTORS = ("insightface", "buffalo_l", "mediapipe")  # as in `preprocess.measure.detector`


@dataclass(frozen=True)
class DetectorFiles:
    """The network that finds faces, and InsightFace's 106 landmarks, which give faces an outline."""

    network: Path
    landmarks: Path | None = None


def detector_files(name: str) -> DetectorFiles:
    """Weights of a detector of `DETECTORS`; raises ValueError for another name, WeightsError where one is missing."""
    if name not in DETECTORS:
        raise ValueError(f"unknown detector {name!r}: accepted are {', '.join(DETECTORS)}")
    if name != "buffalo_l":
        return DetectorFiles(weight_path({"mediapipe": "face_landmarker", "insightface": "scrfd"}[name]))
    pack = weight_path("buffalo_l")
    networks, landmarks = sorted(pack.glob("det_*.onnx")), pack / "2d106det.onnx"
    for found, wanted in ((bool(networks), "det_*.onnx"), (landmarks.is_file(), landmarks.name)):
        if not found:
            raise WeightsError(f"{pack} holds no {wanted}: unpack buffalo_l.zip there")
    return DetectorFiles(networks[0], landmarks)


def make_detector(name: str, size_px: int, files: DetectorFiles | None = None, device: str = "cpu") -> FaceDetector:
    """A detector that looks at pictures of `size_px`, from `files` where they were looked up before; InsightFace's on
    `device`. Raises as `detector_files`, and ValueError where its runtime does not know the device."""
    files = files or detector_files(name)
    if name == "mediapipe":
        return MediaPipeDetector(files.network)
    return InsightFaceDetector(files.network, size_px, files.landmarks, device)
