"""HSEmotion's eight expression classes (Savchenko; enet_b0_8_best_vgaf of EmotiEffLib): the backbone of Emo-A."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from models.formats.onnx_network import OnnxNetwork

# the network's outputs are in alphabetical order (Anger, Contempt, Disgust, Fear, Happiness, Neutral, Sadness,
# Surprise), which is not AffectNet's numbering; here under the names that our labels use
LABELS = ("angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised")
SIDE_PX = 224
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


class EmotionLogits:
    """Face pictures -> logits of `LABELS`."""

    def __init__(self, path: Path):
        self._network = OnnxNetwork(path)

    def __call__(self, faces: list[np.ndarray]) -> np.ndarray:
        """T faces [S, S, 3] uint8 RGB, the detector's box as it is, any S -> logits [T, 8]."""
        small = np.stack([cv2.resize(face, (SIDE_PX, SIDE_PX)) for face in faces]).astype(np.float32) / 255.0
        return self._network(np.ascontiguousarray(((small - MEAN) / STD).transpose(0, 3, 1, 2)))
