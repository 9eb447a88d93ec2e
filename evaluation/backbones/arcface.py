"""ArcFace's identity vectors (InsightFace buffalo_l, w600k_r50): the backbone of CSIM."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evaluation.backbones.onnx_network import OnnxNetwork


class ArcFace:
    """Aligned faces -> unit vectors."""

    def __init__(self, path: Path):
        self._network = OnnxNetwork(path)

    def __call__(self, faces: np.ndarray) -> np.ndarray:
        """faces [T, 112, 112, 3] uint8 RGB in the ArcFace alignment (evaluation/faces.py) -> [T, 512]."""
        vectors = self._network(np.ascontiguousarray((faces.astype(np.float32) - 127.5).transpose(0, 3, 1, 2)) / 127.5)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
