"""A clip worker without networks: every picture has one face in its middle, sound above a whisper is speech."""

from __future__ import annotations

import numpy as np
import yaml

from models.face.face import Face
from pipeline.core.data_params import Preprocess
from stages.preprocess.clip import ClipWorker
from stages.preprocess.task import ClipTask


class MiddleFace:
    """A face of half the picture's shorter side in its middle."""

    def detect(self, image: np.ndarray) -> list[Face]:
        height, width = image.shape[:2]
        x, y, r = width / 2, height / 2, min(width, height) / 3
        offsets = np.array([[-0.5, 0], [0.5, 0], [0, 0.3], [-0.3, 0.5], [0.3, 0.5]])
        points = np.array([x, y]) + r * offsets
        return [Face(np.array([x - r, y - r, x + r, y + r]), 1.0, points)]


def speech_share(waveform: np.ndarray) -> float:
    return float(np.abs(waveform).max() > 0.01) if len(waveform) else 0.0


def worker(project, **changes) -> ClipWorker:
    """`changes`: of `preprocess.measure`."""
    values = yaml.safe_load((project / "params.yaml").read_text())["preprocess"]
    values["measure"] |= changes
    return ClipWorker(Preprocess.model_validate(values), MiddleFace(), speech_share)


def task(media, folder, audio=None, corpus="test", **more) -> ClipTask:
    return ClipTask(corpus, "clip", media, audio, folder, **more)
