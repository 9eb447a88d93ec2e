"""ONNX Runtime on one thread, without its telemetry.

Some of its builds (1.32 from PyPI) write a device id and an event database into the home folder as soon as they are
imported, and upload it: the switch must be there before.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, SessionOptions

BATCH = 16
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}


def one_thread() -> SessionOptions:
    """Options of a session that uses one core."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return options


def providers_of(name: str) -> list[str]:
    """ONNX Runtime's providers, the first one wanted, the others for what it cannot; raises ValueError."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    if name not in PROVIDERS:
        raise ValueError(f"unknown provider {name!r}: accepted are {', '.join(PROVIDERS)}")
    if PROVIDERS[name] not in onnxruntime.get_available_providers():
        raise ValueError(f"ONNX Runtime {onnxruntime.__version__} has no {PROVIDERS[name]} here: install "
                         "onnxruntime-gpu in place of onnxruntime, or take --provider cpu")
    wanted = list(PROVIDERS.values())[:list(PROVIDERS).index(name) + 1]
    return wanted[::-1]


def open_graph(path: Path, providers: list[str], weights: dict[str, np.ndarray] | None = None) -> InferenceSession:
    """A graph on one thread of the processor; `weights` stand in for the file of weights that the graph names."""
    options = one_thread()
    import onnxruntime

    options.log_severity_level = 3
    if weights is not None:
        values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(value) for name, value in weights.items()}
        options.add_external_initializers(list(values), list(values.values()))
    return onnxruntime.InferenceSession(str(path), options, providers=providers)


def providers(device: str) -> list[str]:
    """Where sessions run: for `cuda` on the GPU, if this ONNX Runtime can (docs/cluster.md), else on a core."""
    one_thread()
    import onnxruntime

    wanted = ["CUDAExecutionProvider"] if device == "cuda" else []
    return [*(name for name in wanted if name in onnxruntime.get_available_providers()), "CPUExecutionProvider"]


class OnnxNetwork:
    """A network with one input [N, 3, S, S] and one output that matters, the first: ArcFace and HSEmotion come so,
    which runs no code of theirs."""

    def __init__(self, path: Path, device: str = "cpu"):
        options = one_thread()
        import onnxruntime

        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=providers(device))
        if device == "cuda" and PROVIDERS["cuda"] not in self._session.get_providers():
            warnings.warn(f"{path.name} was given a GPU and computes on a core: this environment's ONNX Runtime has no "
                          "CUDA; the extra `gpu` and CUDA's libraries bring it (docs/cluster.md)", stacklevel=2)
        self._input = self._session.get_inputs()[0].name

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """inputs [N, 3, S, S] float32 -> outputs [N, ...]."""
        return np.concatenate([self._session.run(None, {self._input: inputs[start:start + BATCH]})[0]
                               for start in range(0, len(inputs), BATCH)])
