"""Identity vectors: ArcFace (512-d, ONNX) of `csim`, MobileFaceNet (192-d, TensorFlow Lite) of `csim_mobilefacenet`."""

from __future__ import annotations

from collections.abc import Callable
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


NETWORKS: dict[str, Callable[[Path, str], Callable[[np.ndarray], np.ndarray]]] = {
    "mobilefacenet": lambda path, device: IdentityVectors(path), "arcface_w600k_r50": ArcFace}   # by row of the weights


def mean_identity(vectors: np.ndarray) -> str:
    """Unit vectors of one person's faces [N, D] -> their direction, float16, little-endian, in hex: a row's column."""
    mean = vectors.astype(np.float32).mean(0)
    return (mean / np.linalg.norm(mean)).astype("<f2").tobytes().hex()


def read_identities(rows: list[str]) -> np.ndarray:
    """Columns of `mean_identity` -> unit vectors [N, D] float32; raises ValueError for those of two networks."""
    if len({len(row) for row in rows}) > 1:
        raise ValueError("identity vectors of several networks: run `dvc repro preprocess`")
    vectors = np.frombuffer(bytes.fromhex("".join(rows)), "<f2").astype(np.float32).reshape(len(rows), -1)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
