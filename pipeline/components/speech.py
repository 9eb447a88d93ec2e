"""The speech encoder that `params.yaml` or a bundle names, with its weights: made here and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from models.speech.encoder import SpeechEncoder
from pipeline.core.fingerprint import code_of, file_sha256
from pipeline.weights.table import WeightsError, weight_path, weight_sha256

if TYPE_CHECKING:   # pydantic takes a while to import, and an exported bundle does without
    from pipeline.core.data_params import Speech

SPEECH_WEIGHTS = {"whisper": "whisper_tiny_en", "wav2vec2": "wav2vec2_base_960h", "hubert": "hubert_base_ls960"}
CHECKPOINT_SUFFIXES = {".json", ".safetensors", ".bin"}


def make_speech_encoder(section: Speech, device: str = "cpu") -> SpeechEncoder:
    """Load the encoder of `params.speech` onto `device`; raises WeightsError, or ValueError where checkpoint and layer
    do not fit."""
    if section.kind == "whisper":
        from models.speech.whisper import WhisperSpeechEncoder

        return WhisperSpeechEncoder(whisper_path(section.checkpoint), section.layer, section.piece_s, section.overlap_s,
                                    device)
    from models.speech.huggingface import HuggingFaceSpeechEncoder, untrained_network

    source = untrained_network(section.kind) if section.untrained else _checkpoint(section)
    return HuggingFaceSpeechEncoder(source, section.layer, section.piece_s, section.overlap_s, device)


def speech_identity(section: Speech) -> dict:
    """What the features depend on besides code: parameters and the sha256 of the weights; raises WeightsError."""
    if section.kind == "whisper":
        path, pinned = whisper_path(section.checkpoint), weight_sha256(SPEECH_WEIGHTS["whisper"])
        weights = {"whisper": pinned if section.checkpoint is None else file_sha256(path)}
    elif section.untrained:
        from pipeline.core.data_params import UNTRAINED

        weights = {UNTRAINED: code_of("models.speech.huggingface")}
    else:
        files = sorted(_checkpoint(section).iterdir())
        weights = {path.name: file_sha256(path) for path in files if path.suffix in CHECKPOINT_SUFFIXES}
    return {**section.model_dump(exclude={"checkpoint"}), "weights": weights}


def whisper_path(checkpoint: str | None) -> Path:
    """The file of Whisper's weights, by default that of the table; raises WeightsError."""
    return Path(checkpoint) if checkpoint else weight_path(SPEECH_WEIGHTS["whisper"])


def _checkpoint(section: Speech) -> Path:
    folder = Path(section.checkpoint) if section.checkpoint else weight_path(SPEECH_WEIGHTS[section.kind])
    if not folder.is_dir():
        raise WeightsError(f"speech.checkpoint {folder} is missing")
    return folder
