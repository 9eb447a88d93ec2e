"""The sizes of a motion transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from models.motion.motion import RHO_DIM

ConvNorm = Literal["batch", "layer", "group"]


@dataclass(frozen=True)
class ModelShape:
    """Everything that fixes the parameters' shapes and meaning; `num_emotions` 0 is a stage-1 model."""

    dim: int
    heads: int
    layers: int
    conv_kernel: int
    conv_norm: ConvNorm
    mlp_ratio: int
    dropout: float
    audio_align_layers: int
    window: int
    previous: int
    emotion_blocks: int
    num_keypoints: int
    speech_dim: int
    num_emotions: int

    @property
    def expression_dim(self) -> int:
        """3K."""
        return 3 * self.num_keypoints

    @property
    def motion_dim(self) -> int:
        """D = 3K + 7."""
        return self.expression_dim + RHO_DIM
