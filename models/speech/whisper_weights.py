"""The weights of Whisper's encoder in a CTranslate2 model, under the names of `models.speech.whisper_network`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.formats.ctranslate2 import read_variables

MAX_STATES = 1500  # learned positions: 30 s
_LAYER_NAMES = {"norm1": "self_attention/layer_norm", "qkv": "self_attention/linear_0",
                "out": "self_attention/linear_1", "norm2": "ffn/layer_norm", "up": "ffn/linear_0",
                "down": "ffn/linear_1"}


@dataclass(frozen=True)
class WhisperWeights:
    """A state dict and what it does not say."""

    tensors: dict[str, np.ndarray]
    depth: int
    heads: int

    @property
    def dim(self) -> int:
        """Width of the states."""
        return len(self.tensors["conv1.bias"])

    def up_to(self, layer: int) -> dict[str, np.ndarray]:
        """What hidden state `layer` hangs on."""
        def is_used(name: str) -> bool:
            part = name.split(".")
            return int(part[1]) < layer if part[0] == "layers" else part[0] != "norm" or layer == self.depth

        return {name: value for name, value in self.tensors.items() if is_used(name)}


def read_whisper(path: Path) -> WhisperWeights:
    """The encoder's weights; raises ValueError where the file holds none."""
    values = read_variables(path, "encoder/")
    try:
        depth = len({name.split("/")[1] for name in values if re.match(r"encoder/layer_\d+/", name)})
        return WhisperWeights(_state_dict(values, depth), depth, int(values["encoder/num_heads"]))
    except KeyError as error:
        raise ValueError(f"{path} holds no Whisper encoder: {error}") from error


def _state_dict(values: dict[str, np.ndarray], depth: int) -> dict[str, np.ndarray]:
    sources = {f"layers.{i}.{ours}": f"encoder/layer_{i}/{theirs}"
               for i in range(depth) for ours, theirs in _LAYER_NAMES.items()}
    sources |= {"norm": "encoder/layer_norm", "conv1": "encoder/conv1", "conv2": "encoder/conv2"}
    state = {"positions": values["encoder/position_encodings/encodings"]}
    for ours, theirs in sources.items():
        norm = ours.endswith(("norm", "norm1", "norm2"))
        state[f"{ours}.weight"] = values[f"{theirs}/{'gamma' if norm else 'weight'}"]
        state[f"{ours}.bias"] = values[f"{theirs}/{'beta' if norm else 'bias'}"]
    return {name: np.ascontiguousarray(value) for name, value in state.items()}
