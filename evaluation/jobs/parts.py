"""What a worker of the evaluation holds: the model in use, and the networks that judge it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from evaluation.metrics.judges import Judges, judge_weights, load_judges
from evaluation.metrics.lip_sync import SpeechToMouth
from models.generation.talking_head import TalkingHead
from pipeline.components.bundle import bundle_digest
from pipeline.components.face_space import face_space_identity
from pipeline.components.model import load_head

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Parts:
    """The judges, the model in use, the regression behind `mouth_sync` where that is asked for, and where networks
    are."""

    judges: Judges
    head: TalkingHead
    sync: SpeechToMouth | None = None
    device: str = "cpu"


@dataclass(frozen=True)
class ModelSpec(Generic[Settings]):
    """What a worker loads: the model, the judges of `metrics`; `settings` are handed to its jobs."""

    face_space_folder: Path
    bundle_folder: Path
    fps: float
    metrics: tuple[str, ...]
    settings: Settings
    sync: SpeechToMouth | None = None

    def inputs(self) -> list[Any]:
        """All that enters every result."""
        return [vars(self.settings), bundle_digest(self.bundle_folder), judge_weights(self.metrics),
                face_space_identity(self.face_space_folder), self.sync and self.sync.weights.tolist()]

    def load(self, device: str) -> Parts:
        """On `device` and one thread of this process; raises WeightsError, BundleError, FileNotFoundError."""
        parts = load_parts(self.face_space_folder, self.bundle_folder, self.fps, self.metrics, device)
        return replace(parts, sync=self.sync)


def load_parts(face_space_folder: Path, bundle_folder: Path, fps: float, metrics: Sequence[str],
               device: str) -> Parts:
    """Load everything in this process, on one thread and `device`; raises WeightsError, BundleError,
    FileNotFoundError."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    return Parts(load_judges(fps, metrics, device), load_head(bundle_folder, face_space_folder, device),
                 device=device)
