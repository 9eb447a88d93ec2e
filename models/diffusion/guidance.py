"""Nested classifier-free guidance over audio and emotion (eq. 8; Brooks et al. 2023).

The three predictions may be of noise, clean sample or velocity: at one x_t these are affine in each other and the
weights of eq. 8 sum to one, so guiding any of them guides all.
"""

from __future__ import annotations

from torch import Tensor


def guide_audio(null: Tensor, audio: Tensor, audio_scale: float | Tensor) -> Tensor:
    """The first two terms of eq. 8; all that is left of it where there is no emotion (stage 1, head pose)."""
    return null + audio_scale * (audio - null)


def guide(null: Tensor, audio: Tensor, audio_emotion: Tensor, audio_scale: float | Tensor,
          emotion_scale: float | Tensor) -> Tensor:
    """Eq. 8: predictions without conditions, with audio, and with audio and emotion, of one shape."""
    return guide_audio(null, audio, audio_scale) + emotion_scale * (audio_emotion - audio)
