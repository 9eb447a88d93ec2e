"""Wav2Vec2 and HuBERT through transformers, from a local checkpoint folder.

`models.speech.convolutions` says how their states lie in time; `models.speech.graph_states` runs them without PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from models.speech.convolutions import FIRST_STATE_S, KERNELS, MARGIN, MOMENT_OUTPUTS, STRIDES, normalise
from models.speech.encoder import STATE_SAMPLES, align, fit_length
from models.speech.pieces import STATES_PER_S, encode_in_pieces

MODEL_TYPES = {"wav2vec2", "hubert"}
# of untrained networks: convolutions keep their published kernels and strides, so that states come at the same times
TOY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
       "conv_dim": (16,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}


class HuggingFaceSpeechEncoder:
    """SpeechEncoder of hidden state `layer`: 0 is the input of the transformer, the last one its output."""

    def __init__(self, source: Path | torch.nn.Module, layer: int, piece_s: float, overlap_s: float,
                 device: str = "cpu"):
        """`source`: a transformers folder, or a network (`untrained_network`)."""
        self.network: Any = source if isinstance(source, torch.nn.Module) else load_network(source)
        self.network.to(device)
        config = cast(Any, self.network).config  # torch knows modules and tensors as attributes, nothing else
        if layer > config.num_hidden_layers:
            name = "its network" if isinstance(source, torch.nn.Module) else source
            raise ValueError(f"speech.layer is {layer}, {name} has the hidden states 0 to {config.num_hidden_layers}")
        self.name, self.dim = config.model_type, config.hidden_size
        self._layer, self._piece_s, self._overlap_s = layer, piece_s, overlap_s

    @torch.inference_mode()
    def encode(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        """[N] -> [frames, dim]; long speech in pieces, normalised by the whole."""
        padded = np.pad(normalise(fit_length(waveform, frames)), MARGIN)
        states = frames * 640 // STATE_SAMPLES
        if states <= round(self._piece_s * STATES_PER_S):
            return align(self._states(padded, states), FIRST_STATE_S, frames)
        with norm_of_the_whole(self.network, padded):
            return align(self._states(padded, states), FIRST_STATE_S, frames)

    def _states(self, padded: np.ndarray, states: int) -> np.ndarray:
        def piece(start: int, stop: int) -> np.ndarray:
            samples = torch.from_numpy(padded[STATE_SAMPLES * start:STATE_SAMPLES * stop + 2 * MARGIN])
            samples = samples[None].to(self.network.device)
            return self.network(samples, output_hidden_states=True).hidden_states[self._layer][0].cpu().numpy()

        return encode_in_pieces(piece, states, self._piece_s, self._overlap_s)


@contextmanager
def norm_of_the_whole(network: Any, padded: np.ndarray) -> Iterator[None]:
    """Inside, a group norm behind the first convolution takes its statistics from the whole waveform [N].

    The base networks (wav2vec2-base, hubert-base) have one, over all of the time that they are given: pieces would
    each be normalised by themselves. Only memory for ten seconds at a time is used.
    """
    first = network.feature_extractor.conv_layers[0]
    norm = getattr(first, "layer_norm", None)
    if not isinstance(norm, torch.nn.GroupNorm):
        yield
        return
    first.layer_norm = FixedNorm(norm, *_channel_moments(first.conv, padded))
    try:
        yield
    finally:
        first.layer_norm = norm


def _channel_moments(conv: torch.nn.Conv1d, padded: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance of each channel of the first convolution over the whole waveform, summed in float64."""
    stride, kernel, total = conv.stride[0], conv.kernel_size[0], 0
    first = second = torch.zeros(conv.out_channels, dtype=torch.float64, device=conv.weight.device)
    outputs = (len(padded) - kernel) // stride + 1
    for start in range(0, outputs, MOMENT_OUTPUTS):
        stop = min(start + MOMENT_OUTPUTS, outputs)
        piece = torch.from_numpy(padded[start * stride:(stop - 1) * stride + kernel]).to(first.device)
        values = conv(piece[None, None])[0].double()  # [C, stop - start]
        first, second, total = first + values.sum(1), second + values.square().sum(1), total + values.shape[1]
    mean = first / total
    return mean, second / total - mean.square()


class FixedNorm(torch.nn.Module):
    """(x - mean) / sqrt(variance + eps) * weight + bias with given statistics, x [B, C, T]."""

    def __init__(self, norm: torch.nn.GroupNorm, mean: torch.Tensor, variance: torch.Tensor):
        super().__init__()
        scale = norm.weight.double() / (variance + norm.eps).sqrt()
        self.scale, self.shift = scale.float()[:, None], (norm.bias.double() - mean * scale).float()[:, None]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale + self.shift


def load_network(folder: Path) -> torch.nn.Module:
    """The network of a transformers folder, never from the net; raises ValueError."""
    from transformers import AutoConfig, AutoModel

    if not (folder / "config.json").is_file():
        raise ValueError(f"speech.checkpoint {folder} is no transformers folder: it has no config.json")
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if config.model_type not in MODEL_TYPES:
        raise ValueError(f"{folder} holds {config.model_type!r}, expected one of {sorted(MODEL_TYPES)}")
    if tuple(config.conv_kernel) != KERNELS or tuple(config.conv_stride) != STRIDES:
        raise ValueError(f"{folder}: convolutions of kernels {config.conv_kernel} and strides {config.conv_stride} do "
                         "not give the 50 states a second that frames are aligned with")
    network, found = AutoModel.from_pretrained(
        folder, config=config, local_files_only=True, trust_remote_code=False, weights_only=True,
        attn_implementation="sdpa", output_loading_info=True)
    missing = sorted(name for name in found["missing_keys"] if "masked_spec_embed" not in name)  # of training alone
    if missing:  # transformers would make them up
        raise ValueError(f"{folder} lacks weights: {', '.join(missing[:4])}{' ...' if len(missing) > 4 else ''}")
    return network.eval().requires_grad_(False)


def untrained_network(kind: str, seed: int = 0) -> torch.nn.Module:
    """`wav2vec2` or `hubert` at toy width, without a checkpoint; the same seed gives the same weights."""
    import transformers

    config, network = {"wav2vec2": (transformers.Wav2Vec2Config, transformers.Wav2Vec2Model),
                       "hubert": (transformers.HubertConfig, transformers.HubertModel)}[kind]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network(config(**TOY)).eval().requires_grad_(False)
