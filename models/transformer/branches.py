"""The branches of eq. 8 as one batch, for sampling and for export. Letters as in motion_transformer.py.

The Conformer sees two rows a clip (no audio, audio), because the row with emotion differs from the audio row only
after it; the emotion-control module sees three.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.transformer.motion_transformer import MotionTransformer


class AudioRows(nn.Module):
    """Speech -> audio features of both rows, which no step of denoising changes."""

    def __init__(self, model: MotionTransformer):
        super().__init__()
        self.model = model

    def forward(self, speech: Tensor, has_previous: Tensor, mask: Tensor | None = None) -> Tensor:
        """speech [B, L, A], has_previous [B] bool, mask [B, L] bool -> [2B, L, d]."""
        audio = self.model.encode_audio(speech, has_previous, None, mask)
        return torch.cat([self.model.audio.null.to(audio).expand_as(audio), audio])


class PlainBranches(nn.Module):
    """Predictions without conditions and with audio: the emotion-control module is passed by."""

    def __init__(self, model: MotionTransformer):
        super().__init__()
        self.model = model

    def forward(self, noisy: Tensor, time: Tensor, audio: Tensor, identity: Tensor, previous: Tensor,
                has_previous: Tensor, mask: Tensor | None = None) -> Tensor:
        """noisy [B, W, D], time [1], audio [2B, L, d], the others [B, ...] as in `trunk` -> [2, B, W, D]."""
        hidden, time_feature, pose = _both(self.model, noisy, time, audio, identity, previous, has_previous, mask)
        null, spoken = torch.cat([self.model.expression(hidden, time_feature), pose], dim=-1).chunk(2)
        return torch.stack([null, spoken])


class EmotionBranches(nn.Module):
    """Predictions without conditions, with audio, and with audio and emotion; the last has the second one's pose."""

    def __init__(self, model: MotionTransformer):
        super().__init__()
        self.model = model

    def forward(self, noisy: Tensor, time: Tensor, audio: Tensor, identity: Tensor, previous: Tensor,
                has_previous: Tensor, emotion: Tensor, mask: Tensor | None = None) -> Tensor:
        """As `PlainBranches`, with emotion [B, 1 or L, E + 1] -> [3, B, W, D]."""
        hidden, time_feature, pose = _both(self.model, noisy, time, audio, identity, previous, has_previous, mask)
        spoken, spoken_time, spoken_pose = (both.chunk(2)[1] for both in (hidden, time_feature, pose))
        null = torch.cat([torch.zeros_like(emotion[..., :-1]), torch.ones_like(emotion[..., -1:])], dim=-1)
        expression = self.model.expression(
            torch.cat([hidden, spoken]), torch.cat([time_feature, spoken_time]), torch.cat([null, null, emotion]),
            None if mask is None else torch.cat([mask, mask, mask]))
        return torch.stack(torch.cat([expression, torch.cat([pose, spoken_pose])], dim=-1).chunk(3))


def _both(model: MotionTransformer, noisy: Tensor, time: Tensor, audio: Tensor, identity: Tensor, previous: Tensor,
          has_previous: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Conformer output [2B, L, d], time feature [2B, d] and head pose [2B, W, 7] of both rows."""
    def twice(x: Tensor) -> Tensor:
        return torch.cat([x, x])

    times = time.expand(audio.shape[0])
    hidden, time_feature = model.trunk(twice(noisy), times, audio, twice(identity), twice(previous),
                                       twice(has_previous), None if mask is None else twice(mask))
    return hidden, time_feature, model.pose(hidden)
