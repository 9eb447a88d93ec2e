"""The networks that judge videos. Each metric has its own; a published name goes with the published weights alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.face.landmarker import FaceLandmarker, Landmarks
from pipeline.core.fingerprint import file_sha256
from pipeline.weights.table import weight_path, weight_sha256

if TYPE_CHECKING:
    from pipeline.components.lip_sync import LipSync

# metric network -> row of the weights table; the landmarks are always there: they find the face for all others
WEIGHTS = {"landmarks": "face_landmarker", "csim_mobilefacenet": "mobilefacenet", "lpips_alexnet": "lpips_alexnet",
           "fd_efficientnet_lite0": "efficientnet_lite0", "emo_facex": "emotion_facex", "fid": "fid_inception",
           "fvd": "i3d", "sync": "syncnet", "sync_faces": "scrfd", "csim": "arcface_w600k_r50", "emo_a": "hsemotion"}
FRECHET = ("fd_efficientnet_lite0", "fid", "fvd")
IDENTITY = ("csim_mobilefacenet", "csim")
Faces = Callable[[np.ndarray], np.ndarray]


def judge_rows(metrics: Sequence[str]) -> dict[str, str]:
    """Network -> row of the weights table, for all that `metrics` ask."""
    names = ("landmarks", *metrics, *(("sync_faces",) if "sync" in metrics else ()))
    return {name: WEIGHTS[name] for name in names if name in WEIGHTS}


def grid_metrics(metrics: Sequence[str], frame_stride: int) -> tuple[str, ...]:
    """The networks that the ablation's grid asks, of those in use: FVD and SyncNet need every frame."""
    every_frame = ("fvd", "sync") if frame_stride == 1 else ()
    wanted = (*IDENTITY, "lpips_alexnet", "fd_efficientnet_lite0", "fid", "emo_a", *every_frame)
    return ("emo_facex", *(name for name in metrics if name in wanted))


@dataclass(frozen=True)
class Judges:
    """Networks by metric; what was not asked for is absent. Pictures are uint8 RGB (see models/judges)."""

    landmarks: Callable[[np.ndarray], Landmarks]  # frames [T, H, W, 3] at 25 fps
    identity: Mapping[str, Faces] = field(default_factory=dict)  # aligned faces [T, 112, 112, 3] -> unit [T, D]
    features: Mapping[str, Faces] = field(default_factory=dict)  # frames -> [T, D]
    clips: Mapping[str, Faces] = field(default_factory=dict)  # frames [T, H, W, 3] -> [clips of 16, D]
    lpips: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    expression: Callable[[list[np.ndarray]], np.ndarray] | None = None  # faces -> probabilities [T, labels]
    expression_labels: tuple[str, ...] = ()
    sync: LipSync | None = None
    emotion: Callable[[list[np.ndarray]], np.ndarray] | None = None  # faces -> logits [T, labels]
    emotion_labels: tuple[str, ...] = ()


def load_judges(fps: float, metrics: Sequence[str], device: str = "cpu") -> Judges:
    """The networks of `metrics` from the weights table, on `device` but for those of TensorFlow Lite and MediaPipe,
    which know cores alone; raises WeightsError, which names the file that is missing."""
    path = {name: weight_path(row) for name, row in judge_rows(metrics).items()}
    landmarker = FaceLandmarker(path["landmarks"])
    parts: dict[str, Any] = {}
    for load in (_pictures, _faces, _videos):
        parts |= load(path, device)
    return Judges(landmarks=lambda frames: landmarker.detect_video(frames, fps), **parts)


def _pictures(path: Mapping[str, Path], device: str) -> dict:
    features: dict[str, Faces] = {}
    parts: dict[str, Any] = {}
    if "fd_efficientnet_lite0" in path:
        from models.judges.efficientnet_lite0 import FrameFeatures

        features["fd_efficientnet_lite0"] = FrameFeatures(path["fd_efficientnet_lite0"], device)
    if "fid" in path:
        from models.judges.inception import FidFeatures

        features["fid"] = FidFeatures(path["fid"], device)
    if "lpips_alexnet" in path:
        from models.judges.lpips import Lpips

        parts["lpips"] = Lpips(path["lpips_alexnet"], device)
    return parts | {"features": features}


def _faces(path: Mapping[str, Path], device: str) -> dict:
    identity: dict[str, Faces] = {}
    parts: dict[str, Any] = {}
    if "csim_mobilefacenet" in path:
        from models.judges.identity import IdentityVectors

        identity["csim_mobilefacenet"] = IdentityVectors(path["csim_mobilefacenet"])
    if "csim" in path:
        from models.judges.identity import ArcFace

        identity["csim"] = ArcFace(path["csim"], device)
    if "emo_facex" in path:
        from models.judges.expression import FACEX_LABELS, FacexProbabilities

        parts |= {"expression": FacexProbabilities(path["emo_facex"]), "expression_labels": FACEX_LABELS}
    if "emo_a" in path:
        from models.judges.expression import HSEMOTION_LABELS, HsemotionLogits

        parts |= {"emotion": HsemotionLogits(path["emo_a"], device), "emotion_labels": HSEMOTION_LABELS}
    return parts | {"identity": identity}


def _videos(path: Mapping[str, Path], device: str) -> dict:
    clips: dict[str, Faces] = {}
    parts: dict[str, Any] = {}
    if "fvd" in path:
        from models.judges.i3d import VideoLogits

        clips["fvd"] = VideoLogits(path["fvd"], device)
    if "sync" in path:
        from pipeline.components.lip_sync import load_lip_sync

        parts["sync"] = load_lip_sync(path["sync"], path["sync_faces"], device)
    return parts | {"clips": clips}


def judge_weights(metrics: Sequence[str]) -> dict[str, str]:
    """sha256 of every network's weights file, for the protocol: the table's, or the file's own where it is open."""
    return {name: weight_sha256(row) or file_sha256(weight_path(row))
            for name, row in sorted(judge_rows(metrics).items())}
