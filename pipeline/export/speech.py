"""A bundle's speech encoder as a graph: a hidden state of Whisper, Wav2Vec2 or HuBERT, without what lies behind it."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations

from models.speech.encoder import SpeechEncoder
from models.speech.huggingface import HuggingFaceSpeechEncoder
from models.speech.log_mel import BANDS
from models.speech.whisper import SPEECH, SPEECH_WEIGHTS
from models.speech.whisper_network import TorchWhisper, WhisperEncoder
from models.speech.whisper_weights import read_whisper
from pipeline.components.speech import make_speech_encoder, whisper_path
from pipeline.core.atomic import write_bytes
from pipeline.core.data_params import Speech
from pipeline.export.graph import write_graph


def write_speech(out: Path, section: Speech) -> None:
    """Write graph and weights into `out`; raises WeightsError, ValueError where checkpoint and layer do not fit."""
    if section.kind == "whisper":
        _write_whisper(out, section)
    else:
        _write_waveform_encoder(out, section)


def exact_encoder(section: Speech) -> SpeechEncoder:
    """PyTorch's encoder in float64, by which graphs are judged: in float32 it is off by as much as they may be."""
    encoder: Any = make_speech_encoder(section)
    network = getattr(encoder, "states", encoder).network.double()
    for module in network.modules():
        module.register_forward_pre_hook(_double)
    return encoder


def _double(_module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(one.double() if isinstance(one, Tensor) and one.is_floating_point() else one for one in given)


class _Mel(nn.Module):
    def __init__(self, model: WhisperEncoder, layer: int):
        super().__init__()
        self.model, self.layer = model, layer

    def forward(self, mel: Tensor, first: Tensor) -> Tensor:
        return self.model(mel, self.layer, first)


def _write_whisper(out: Path, section: Speech) -> None:
    from safetensors.numpy import save

    path = whisper_path(section.checkpoint)
    network = TorchWhisper(path, section.layer).network
    write_bytes(out / SPEECH_WEIGHTS, save(read_whisper(path).up_to(section.layer)))
    inputs = {"mel": torch.zeros(1, BANDS, 200), "first": torch.tensor([0])}
    write_graph(out / SPEECH, _Mel(network, section.layer), inputs, {"mel": {2: "2S"}}, "states",
                out / SPEECH_WEIGHTS, prefix="model.")


class _GivenNorm(nn.Module):
    """A group norm of which somebody else knows what it does to each channel: x [B, C, T], scale, shift [C]."""

    def __init__(self) -> None:
        super().__init__()
        self.given: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        assert self.given is not None
        scale, shift = self.given
        return x * scale[:, None] + shift[:, None]


class _Samples(nn.Module):
    """`models.speech.graph_states` says what it takes and gives."""

    def __init__(self, model: Any, layer: int):
        super().__init__()
        self.model, self.layer = model, layer
        first = model.feature_extractor.conv_layers[0]
        self.norm = _GivenNorm() if isinstance(getattr(first, "layer_norm", None), nn.GroupNorm) else None
        if self.norm is not None:
            first.layer_norm = self.norm

    def forward(self, samples: Tensor, *given: Tensor) -> Tensor:
        if self.norm is not None:
            scale, shift = given
            self.norm.given = scale, shift
        return self.model(samples, output_hidden_states=True).hidden_states[self.layer]


def _write_waveform_encoder(out: Path, section: Speech) -> None:
    from safetensors.torch import save

    encoder = make_speech_encoder(section)
    assert isinstance(encoder, HuggingFaceSpeechEncoder)
    network = copy.deepcopy(encoder.network)
    positions = network.encoder.pos_conv_embed.conv
    if is_parametrized(positions):
        remove_parametrizations(positions, "weight")   # its norm is of training alone
    write_bytes(out / SPEECH_WEIGHTS, save({name: value.contiguous() for name, value in network.state_dict().items()
                                            if _is_used(name, section.layer)}))
    module = _Samples(network, section.layer)
    inputs = {"samples": torch.zeros(1, 16080)}
    if module.norm is not None:
        channels = network.config.conv_dim[0]
        inputs |= {"scale": torch.ones(channels), "shift": torch.zeros(channels)}
    write_graph(out / SPEECH, module, inputs, {"samples": {1: "N"}}, "states", out / SPEECH_WEIGHTS, prefix="model.")


def _is_used(name: str, layer: int) -> bool:
    block = re.match(r"encoder\.layers\.(\d+)\.", name)
    return name != "masked_spec_embed" and (block is None or int(block[1]) < layer)
