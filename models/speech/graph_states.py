"""Wav2Vec2 and HuBERT by ONNX Runtime, as `models.speech.huggingface` has them by PyTorch.

speech.onnx: samples [1, N] -> states [1, S, dim]. Where a group norm stands behind the first convolution, as in the
base networks, the graph is given what it does to each channel, too, scale and shift [C]: the norm is over all of the
time that a network sees, and pieces are normalised by the whole.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.formats.onnx import open_graph
from models.speech.convolutions import FIRST_STATE_S, KERNELS, MARGIN, MOMENT_OUTPUTS, STRIDES, normalise
from models.speech.encoder import STATE_SAMPLES, align, fit_length
from models.speech.pieces import encode_in_pieces

FIRST = "feature_extractor.conv_layers.0"   # its tensors in the file of weights
EPS = 1e-5   # of PyTorch's group norm, which transformers leaves as it is


class GraphSpeechEncoder:
    """SpeechEncoder of the hidden state that was exported; `weights`: the safetensors file that the graph names."""

    def __init__(self, path: Path, weights: Path, name: str, piece_s: float, overlap_s: float, providers: list[str]):
        self._session = open_graph(path, providers)
        self.name, self.dim = name, self._session.get_outputs()[0].shape[-1]
        self._norm = FirstNorm(weights) if len(self._session.get_inputs()) > 1 else None
        self._piece_s, self._overlap_s = piece_s, overlap_s

    def encode(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        """[N] -> [frames, dim]; long speech in pieces, normalised by the whole."""
        padded = np.pad(normalise(fit_length(waveform, frames)), MARGIN)
        given = {} if self._norm is None else self._norm(padded)

        def piece(start: int, stop: int) -> np.ndarray:
            samples = padded[None, STATE_SAMPLES * start:STATE_SAMPLES * stop + 2 * MARGIN]
            return self._session.run(None, {"samples": samples, **given})[0][0]

        states = encode_in_pieces(piece, frames * 640 // STATE_SAMPLES, self._piece_s, self._overlap_s)
        return align(states, FIRST_STATE_S, frames)


class FirstNorm:
    """The group norm behind the first convolution, with the statistics of a whole waveform."""

    def __init__(self, weights: Path):
        from safetensors import safe_open

        with safe_open(weights, framework="np") as file:
            bias = f"{FIRST}.conv.bias"
            self._kernel = file.get_tensor(f"{FIRST}.conv.weight")[:, 0]  # [C, 10]
            self._bias = file.get_tensor(bias) if bias in file.keys() else np.float32(0)  # noqa: SIM118
            self._scale = file.get_tensor(f"{FIRST}.layer_norm.weight").astype(np.float64)
            self._shift = file.get_tensor(f"{FIRST}.layer_norm.bias").astype(np.float64)

    def __call__(self, padded: np.ndarray) -> dict[str, np.ndarray]:
        """Waveform [N] -> what becomes of each channel, scale and shift [C] float32; sums in float64."""
        windows = np.lib.stride_tricks.sliding_window_view(padded, KERNELS[0])[::STRIDES[0]]  # [T, 10]
        first, second = np.zeros((2, len(self._scale)))
        for start in range(0, len(windows), MOMENT_OUTPUTS):
            values = (windows[start:start + MOMENT_OUTPUTS] @ self._kernel.T + self._bias).astype(np.float64)
            first, second = first + values.sum(0), second + np.square(values).sum(0)
        mean = first / len(windows)
        scale = self._scale / np.sqrt(second / len(windows) - np.square(mean) + EPS)
        return {"scale": scale.astype(np.float32), "shift": (self._shift - mean * scale).astype(np.float32)}
