"""One TensorFlow Lite network on one thread, through ai-edge-litert."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np


class TfliteNetwork:
    """A network with one input and one output; `batch` is its fixed first dimension."""

    def __init__(self, path: Path):
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise ImportError("the embedded metric networks run on ai-edge-litert: install the extra `demo`") from error
        with quiet_native_stderr():
            self._interpreter = Interpreter(model_path=str(path), num_threads=1)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self.batch = int(self._input["shape"][0])

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """inputs [N, ...] float32, any N -> outputs [N, ...]; the last batch is filled with zeros."""
        pieces = []
        for start in range(0, len(inputs), self.batch):
            piece = np.zeros(self._input["shape"], np.float32)
            piece[:len(inputs[start:start + self.batch])] = inputs[start:start + self.batch]
            self._interpreter.set_tensor(self._input["index"], piece)
            self._interpreter.invoke()
            pieces.append(self._interpreter.get_tensor(self._output).copy())
        return np.concatenate(pieces)[:len(inputs)]


@contextlib.contextmanager
def quiet_native_stderr() -> Iterator[None]:
    """Drop what native code writes to file descriptor 2 (TensorFlow Lite and MediaPipe log at any level)."""
    sys.stderr.flush()
    kept = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)
