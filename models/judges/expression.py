"""Facial expression classifier of the package facex (grey 200 px faces, TensorFlow Lite): `emo_agree_facex`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from models.formats.tflite import TfliteNetwork

# the network's outputs in its order, under the names that our labels use; it has no contempt
LABELS = ("angry", "disgusted", "fear", "happy", "neutral", "sad", "surprised")
SIDE_PX = 200


class ExpressionClassifier:
    """Face pictures -> probabilities of `labels`."""

    name = "facex"
    labels = LABELS

    def __init__(self, path: Path):
        self._network = TfliteNetwork(path)

    def __call__(self, faces: list[np.ndarray]) -> np.ndarray:
        """T faces [S, S, 3] uint8 RGB, cut square at the face, any S -> probabilities [T, 7]."""
        grey = [cv2.resize(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
                for face in faces]
        return self._network(np.repeat(np.stack(grey)[..., None], 3, axis=-1).astype(np.float32) / 255.0)
