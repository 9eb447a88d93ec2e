"""The diffusion transformer of both stages (paper 3.2, 3.3, A.2; Figure 2).

Speech features -> self-attention; four projections (audio, motion, identity, time) are added per frame; the previous
frames stand before the noisy ones along time (eq. 10); Conformer; Pose-MLP (7) and Exp-MLP (3K). Stage 2 puts the
emotion-control module between the Conformer and the Exp-MLP. Letters in shapes: B batch, P previous frames, W window,
L = P + W, A speech features, K key points, D = 3K + 7, d width, E emotion labels. Motion is normalised.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.motion.motion import RHO_DIM
from models.transformer.conditions import TIME_FREQUENCIES, AudioEncoder, Standardise, mlp, time_frequencies
from models.transformer.conformer import ConformerBlock
from models.transformer.dit import EmotionControl
from models.transformer.shape import ModelShape


class MotionTransformer(nn.Module):
    """Predicts noise, clean motion or velocity (`diffusion.target`) for the window's frames."""

    motion_mask: Tensor  # [D], 0 for dimensions that never move in the training clips

    def __init__(self, shape: ModelShape):
        super().__init__()
        self.shape = shape
        self.speech_norm = Standardise(shape.speech_dim)
        self.identity_norm = Standardise(shape.expression_dim)
        self.motion_mask: Tensor
        self.register_buffer("motion_mask", torch.ones(shape.motion_dim))
        self.audio = AudioEncoder(shape)
        self.motion_projection = nn.Linear(shape.motion_dim, shape.dim)
        self.identity_projection = mlp(shape.expression_dim, shape.dim, shape.dim)
        self.time_projection = mlp(TIME_FREQUENCIES, shape.dim, shape.dim)
        self.segment = nn.Parameter(0.02 * torch.randn(2, shape.dim))  # previous frames, window
        self.start_motion = nn.Parameter(0.02 * torch.randn(shape.previous, shape.dim))
        self.conformer = nn.ModuleList(
            ConformerBlock(shape.dim, shape.heads, shape.mlp_ratio, shape.conv_kernel, shape.conv_norm, shape.dropout)
            for _ in range(shape.layers))
        self.pose_mlp = mlp(shape.dim, shape.dim, RHO_DIM)
        self.expression_mlp = mlp(shape.dim, shape.dim, shape.expression_dim)
        self.emotion = None
        if shape.num_emotions:
            self.emotion = EmotionControl(shape.dim, shape.heads, shape.mlp_ratio, shape.emotion_blocks,
                                          shape.num_emotions)

    def encode_audio(self, speech: Tensor, has_previous: Tensor, drop_audio: Tensor | None = None,
                     mask: Tensor | None = None) -> Tensor:
        """speech [B, L, A], has_previous [B], drop_audio [B], mask [B, L] -> [B, L, d]; constant while denoising."""
        return self.audio(self.speech_norm(speech), has_previous, drop_audio, mask)

    def trunk(self, noisy: Tensor, time: Tensor, audio: Tensor, identity: Tensor, previous: Tensor,
              has_previous: Tensor, mask: Tensor | None = None,
              drop_identity: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Everything up to the Conformer's output [B, L, d], and the time feature [B, d].

        noisy [B, W, D], time [B], audio [B, L, d] of `encode_audio`, identity [B, 3K] (x_c), previous [B, P, D],
        mask [B, L]; rows of `has_previous` [B] that are False take the learned start instead of `previous`; rows of
        `drop_identity` [B] that are True see the mean face.
        """
        before = self.motion_projection(previous * self.motion_mask)
        before = torch.where(has_previous[:, None, None], before, self.start_motion.to(before)) + self.segment[0]
        window = self.motion_projection(noisy * self.motion_mask) + self.segment[1]
        time_feature = self.time_projection(time_frequencies(time).to(self.segment))
        face = self.identity_norm(identity)
        if drop_identity is not None:
            face = face * ~drop_identity[:, None]
        constant = time_feature + self.identity_projection(face)
        hidden = torch.cat([before, window], dim=1) + audio + constant[:, None]
        for block in self.conformer:
            hidden = block(hidden, mask)
        return hidden, time_feature

    def pose(self, hidden: Tensor) -> Tensor:
        """Conformer output [B, L, d] -> [B, W, 7]."""
        return self.pose_mlp(hidden[:, self.shape.previous:])

    def expression(self, hidden: Tensor, time_feature: Tensor, emotion: Tensor | None = None,
                   mask: Tensor | None = None) -> Tensor:
        """Conformer output [B, L, d] -> [B, W, 3K]; without `emotion` [B, 1 or L, E + 1] the module is passed by."""
        if emotion is not None:
            if self.emotion is None:
                raise ValueError("a stage-1 model knows no emotions")
            hidden = self.emotion(hidden, time_feature, emotion, mask)
        return self.expression_mlp(hidden[:, self.shape.previous:])

    def forward(self, noisy: Tensor, time: Tensor, speech: Tensor, identity: Tensor, previous: Tensor,
                has_previous: Tensor, mask: Tensor | None = None, drop_audio: Tensor | None = None,
                drop_identity: Tensor | None = None, emotion: Tensor | None = None) -> Tensor:
        """The prediction [B, W, D] for one branch of eq. 8; shapes as in `encode_audio` and `trunk`."""
        audio = self.encode_audio(speech, has_previous, drop_audio, mask)
        hidden, time_feature = self.trunk(noisy, time, audio, identity, previous, has_previous, mask,
                                          drop_identity)
        parts = [self.expression(hidden, time_feature, emotion, mask), self.pose(hidden)]
        return torch.cat(parts, dim=-1) * self.motion_mask

    def stage_one_parameters(self) -> list[nn.Parameter]:
        """All that stage 2 freezes."""
        return [p for name, p in self.named_parameters() if not name.startswith("emotion.")]
