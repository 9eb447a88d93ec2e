"""What a worker of the evaluation holds: the model in use, and the networks that judge it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation.metrics.judges import Judges, load_judges
from models.generation.talking_head import TalkingHead


@dataclass(frozen=True)
class Parts:
    """The judges, and the model in use; where videos of others are judged there is none."""

    judges: Judges
    model: TalkingHead | None = None

    @property
    def head(self) -> TalkingHead:
        """The model in use; raises ValueError where there is none."""
        if self.model is None:
            raise ValueError("no model was loaded: only videos that are there already can be judged")
        return self.model


def load_parts(face_space_folder: Path, bundle_folder: Path, fps: float, metrics: Sequence[str]) -> Parts:
    """Load everything in this process, on one thread; raises WeightsError, BundleError, FileNotFoundError."""
    import cv2
    import torch

    from pipeline.components.model import load_head

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    return Parts(load_judges(fps, metrics), load_head(bundle_folder, face_space_folder))
