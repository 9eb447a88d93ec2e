"""Whisper's hidden state by ONNX Runtime: speech.onnx, mel [1, 80, 2S], first [1] int64 -> states [1, S, dim]."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.formats.onnx import open_graph

SPEECH, SPEECH_WEIGHTS = "speech.onnx", "speech.safetensors"


class GraphWhisper:
    """The `WhisperStates` of a graph; `weights` where their file does not lie beside it."""

    def __init__(self, path: Path, providers: list[str], weights: dict[str, np.ndarray] | None):
        self._session = open_graph(path, providers, weights)
        self.dim = self._session.get_outputs()[0].shape[-1]

    def __call__(self, mel: np.ndarray, first: int) -> np.ndarray:
        """As in `WhisperStates`."""
        return self._session.run(None, {"mel": mel[None], "first": np.array([first])})[0][0]
