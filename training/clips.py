"""Training clips in memory: normalised motion, speech features, identity and emotion of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from models.motion_transformer import MotionTransformer


@dataclass(frozen=True)
class TrainingClip:
    """T frames at 25 fps; `emotion` is an index into the model's labels, -1 where the clip has none."""

    clip_id: str
    x_c: np.ndarray  # [K, 3] float32
    motion: np.ndarray  # [T, D] float32, normalised
    speech: np.ndarray  # [T, A] float16 or float32
    emotion: int = -1

    def __len__(self) -> int:
        return len(self.motion)


def fit_inputs(model: MotionTransformer, clips: list[TrainingClip], motion_mask: np.ndarray) -> None:
    """Set the model's speech and identity standardisation from training clips, and its live motion dimensions.

    Moments are summed in float64 in clip order; `motion_mask` [D] is True where a dimension moves.
    """
    model.speech_norm.fit(*_moments([clip.speech for clip in clips]))
    model.identity_norm.fit(*_moments([clip.x_c.reshape(1, -1) for clip in clips]))
    model.motion_mask.copy_(torch.from_numpy(np.asarray(motion_mask, np.float32)))


def _moments(arrays: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    count = sum(len(array) for array in arrays)
    mean = sum(array.sum(axis=0, dtype=np.float64) for array in arrays) / count
    variance = sum(((array.astype(np.float64) - mean) ** 2).sum(axis=0) for array in arrays) / count
    return torch.from_numpy(mean).float(), torch.from_numpy(np.sqrt(variance)).float()
