"""Identity vectors: ArcFace (512-d, ONNX) of `csim`, MobileFaceNet (192-d, TensorFlow Lite) of `csim_mobilefacenet`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.formats.onnx import OnnxNetwork
from models.formats.tflite import TfliteNetwork


class ArcFace:
    """Aligned faces -> unit vectors."""

    def __init__(self, path: Path, device: str = "cpu"):
        self._network = OnnxNetwork(path, device)

    def __call__(self, faces: np.ndarray) -> np.ndarray:
        """faces [T, 112, 112, 3] uint8 RGB in the ArcFace alignment (evaluation/metrics/faces.py) -> [T, 512]."""
        vectors = self._network(np.ascontiguousarray((faces.astype(np.float32) - 127.5).transpose(0, 3, 1, 2)) / 127.5)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class IdentityVectors:
    """Aligned faces -> unit vectors."""

    name = "mobilefacenet"
    dim = 192

    def __init__(self, path: Path):
        self._network = TfliteNetwork(path)

    def __call__(self, faces: np.ndarray) -> np.ndarray:
        """faces [T, 112, 112, 3] uint8 RGB, aligned to the ArcFace template -> [T, 192] of length one."""
        vectors = self._network((faces.astype(np.float32) - 127.5) / 128.0)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
