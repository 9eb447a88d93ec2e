"""ONNX Runtime on one thread, without its telemetry.

Some of its builds (1.32 from PyPI) write a device id and an event database into the home folder as soon as they are
imported, and upload it: the switch must be there before.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnxruntime import SessionOptions

BATCH = 16


def one_thread() -> SessionOptions:
    """Options of a session that uses one core."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return options


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
        self._input = self._session.get_inputs()[0].name

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """inputs [N, 3, S, S] float32 -> outputs [N, ...]."""
        return np.concatenate([self._session.run(None, {self._input: inputs[start:start + BATCH]})[0]
                               for start in range(0, len(inputs), BATCH)])
