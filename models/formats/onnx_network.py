"""One ONNX network on one thread: ArcFace and HSEmotion come in this form, which runs no code of theirs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

_BATCH = 16


class OnnxNetwork:
    """A network with one input [N, 3, S, S] and one output that matters, the first."""

    def __init__(self, path: Path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """inputs [N, 3, S, S] float32 -> outputs [N, ...]."""
        return np.concatenate([self._session.run(None, {self._input: inputs[start:start + _BATCH]})[0]
                               for start in range(0, len(inputs), _BATCH)])
