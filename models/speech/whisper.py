"""Speech features by Whisper's encoder (Radford et al., 2022), which PyTorch or ONNX Runtime runs.

State j covers mel windows about 2 j, so it is centred on 0.02 j s. Only as many positions are computed as the speech is
long, where Whisper itself pads every input to 30 s: on 20 s of real speech that moves hidden state 2 by 0.06 of its
deviation (root mean square). Pieces see less context: 10 s pieces of 30 s of speech differ from the whole by 0.15, 20 s
pieces by 0.11.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from models.formats.onnx import open_graph
from models.speech.encoder import STATE_SAMPLES, align, fit_length
from models.speech.level import without_offset
from models.speech.log_mel import log_mel
from models.speech.pieces import encode_in_pieces
from models.speech.whisper_weights import MAX_STATES

LOUDEST = 1.4  # log10 of mel power: what speech at `level.TARGET_RMS` reaches (1.1 to 1.5 on 19 real recordings)
SPEECH, SPEECH_WEIGHTS = "speech.onnx", "speech.safetensors"


class WhisperStates(Protocol):
    """A network whose hidden state is asked for; state 0 is the input embedding, the last one is layer-normed."""

    dim: int

    def __call__(self, mel: np.ndarray, first: int) -> np.ndarray:
        """mel [80, 2 S], at the positions from `first` on -> [S, dim]."""


class GraphWhisper:
    """The states by ONNX Runtime: speech.onnx, mel [1, 80, 2 S], first [1] int64 -> states [1, S, dim].

    `weights` stand in for `SPEECH_WEIGHTS` where it does not lie beside the graph.
    """

    def __init__(self, path: Path, providers: list[str], weights: dict[str, np.ndarray] | None):
        self._session = open_graph(path, providers, weights)
        self.dim = self._session.get_outputs()[0].shape[-1]

    def __call__(self, mel: np.ndarray, first: int) -> np.ndarray:
        """As in `WhisperStates`."""
        return self._session.run(None, {"mel": mel[None], "first": np.array([first])})[0][0]


class WhisperSpeechEncoder:
    """SpeechEncoder of hidden state `layer`."""

    def __init__(self, source: Path | WhisperStates, layer: int, piece_s: float, overlap_s: float,
                 device: str = "cpu"):
        """`source`: a CTranslate2 file for PyTorch, on `device`, or a network of that state."""
        if isinstance(source, Path):
            from models.speech.whisper_network import TorchWhisper

            source = TorchWhisper(source, layer, device)
        if piece_s * 50 > MAX_STATES:
            raise ValueError(f"speech.piece_s is {piece_s}, Whisper has positions for 30 s")
        self.states, self.name, self.dim = source, "whisper", source.dim
        self._piece_s, self._overlap_s = piece_s, overlap_s

    def encode(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        """Speech of one level (`level.bring_to_level`) [N] -> [frames, dim]; long speech in pieces."""
        mel = log_mel(without_offset(fit_length(waveform, frames)), LOUDEST)

        def piece(start: int, stop: int) -> np.ndarray:
            first = min(start, MAX_STATES - (stop - start))  # its true position as long as there is one
            return self.states(mel[:, 2 * start:2 * stop], first)

        states = encode_in_pieces(piece, frames * 640 // STATE_SAMPLES, self._piece_s, self._overlap_s)
        return align(states, 0.0, frames)
