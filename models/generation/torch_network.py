"""A motion transformer that PyTorch runs, as the denoiser asks for it: arrays in, arrays out, on any device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.diffusion.denoise import Branches, Conditions
from models.transformer.branches import AudioRows, EmotionBranches, PlainBranches
from models.transformer.motion_transformer import MotionTransformer
from models.transformer.shape import ModelShape


class TorchNetwork:
    """The `MotionNetwork` of a model, which it puts into evaluation mode."""

    def __init__(self, model: MotionTransformer):
        self.model = model.eval()
        self._audio, self._plain, self._emotional = AudioRows(model), PlainBranches(model), EmotionBranches(model)

    @property
    def shape(self) -> ModelShape:
        """The sizes of the model."""
        return self.model.shape

    @property
    def motion_mask(self) -> np.ndarray:
        """[D], 0 for dimensions that never move in the training clips."""
        return self.model.motion_mask.cpu().numpy()

    @property
    def faces(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation [3K] of x_c in the training clips."""
        norm = self.model.identity_norm
        return norm.mean.cpu().numpy(), norm.std.cpu().numpy()

    @torch.inference_mode()
    def branches(self, given: Conditions) -> Branches:
        """As in `BranchNetwork`."""
        speech, identity, previous = (self._tensor(x) for x in (given.speech, given.identity, given.previous))
        known = self._tensor(given.has_previous)
        mask = None if given.mask is None or given.mask.all() else self._tensor(given.mask)
        emotion = None if given.emotion is None else self._tensor(given.emotion)
        audio = self._audio(speech, known, mask)

        @torch.inference_mode()
        def predict(noisy: np.ndarray, time: int) -> np.ndarray:
            x, at = self._tensor(noisy), torch.full((1,), time, device=audio.device)
            if emotion is None:
                found = self._plain(x, at, audio, identity, previous, known, mask)
            else:
                found = self._emotional(x, at, audio, identity, previous, known, emotion, mask)
            return found.float().cpu().numpy()

        return predict

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.model.motion_mask.device)
