"""What emotion a face shows: facex (grey faces, TensorFlow Lite) of `emo_facex`, HSEmotion of Emo-A.

HSEmotion is Savchenko's enet_b0_8_best_vgaf of EmotiEffLib.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from models.formats.onnx import OnnxNetwork
from models.formats.tflite import TfliteNetwork

# the networks' outputs in their order, under the names that our labels use; facex has no contempt
FACEX_LABELS = ("angry", "disgusted", "fear", "happy", "neutral", "sad", "surprised")
FACEX_PX = 200
# alphabetical (Anger, Contempt, Disgust, Fear, Happiness, Neutral, Sadness, Surprise): not AffectNet's numbering
HSEMOTION_LABELS = ("angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised")
HSEMOTION_PX = 224
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


class FacexProbabilities:
    """Face pictures -> probabilities of `FACEX_LABELS`."""

    def __init__(self, path: Path):
        self._network = TfliteNetwork(path)

    def __call__(self, faces: list[np.ndarray]) -> np.ndarray:
        """T faces [S, S, 3] uint8 RGB, cut square at the face, any S -> probabilities [T, 7]."""
        grey = [cv2.resize(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), (FACEX_PX, FACEX_PX), interpolation=cv2.INTER_AREA)
                for face in faces]
        return self._network(np.repeat(np.stack(grey)[..., None], 3, axis=-1).astype(np.float32) / 255.0)


class HsemotionLogits:
    """Face pictures -> logits of `HSEMOTION_LABELS`."""

    def __init__(self, path: Path, device: str = "cpu"):
        self._network = OnnxNetwork(path, device)

    def __call__(self, faces: list[np.ndarray]) -> np.ndarray:
        """T faces [S, S, 3] uint8 RGB, the detector's box as it is, any S -> logits [T, 8]."""
        small = np.stack([cv2.resize(face, (HSEMOTION_PX, HSEMOTION_PX)) for face in faces]).astype(np.float32) / 255.0
        return self._network(np.ascontiguousarray(((small - MEAN) / STD).transpose(0, 3, 1, 2)))
