"""A motion transformer that ONNX Runtime runs, as the denoiser asks for it. What its graphs take and give:

    audio.onnx             speech [B, L, A], has_previous [B] bool, mask [B, L] bool -> audio [2B, L, d]
    branches.onnx          noisy [B, W, D], time [1] int64, audio, identity [B, 3K], previous [B, P, D], has_previous,
                           mask -> branches [2, B, W, D]
    emotion_branches.onnx  the same and emotion [B, L, E + 1] -> branches [3, B, W, D]

They are models/transformer/branches.py; all floats are float32. Eq. 8's sum of the branches, the solvers, windows and
joints are not in them: those are models/diffusion and models/generation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from models.diffusion.denoise import Branches, Conditions
from models.formats.onnx import open_graph
from models.transformer.shape import ModelShape

AUDIO, PLAIN, EMOTIONAL = "audio.onnx", "branches.onnx", "emotion_branches.onnx"


@dataclass(frozen=True)
class GraphNetwork:
    """The `MotionNetwork` of a folder of graphs; each is opened when it is first asked for."""

    folder: Path
    shape: ModelShape
    motion_mask: np.ndarray  # [D]
    faces: tuple[np.ndarray, np.ndarray]  # mean and deviation [3K] of x_c in the training clips
    providers: list[str]

    @cached_property
    def _audio(self):
        return open_graph(self.folder / AUDIO, self.providers)

    @cached_property
    def _plain(self):
        return open_graph(self.folder / PLAIN, self.providers)

    @cached_property
    def _emotional(self):
        return open_graph(self.folder / EMOTIONAL, self.providers)

    def branches(self, given: Conditions) -> Branches:
        """As in `BranchNetwork`."""
        mask = np.ones(given.speech.shape[:2], bool) if given.mask is None else given.mask
        [audio] = self._audio.run(None, {"speech": given.speech, "has_previous": given.has_previous, "mask": mask})
        constant = {"audio": audio, "identity": given.identity, "previous": given.previous,
                    "has_previous": given.has_previous, "mask": mask}
        if given.emotion is None:
            session = self._plain
        else:
            session, constant["emotion"] = self._emotional, np.broadcast_to(
                given.emotion, (*mask.shape, given.emotion.shape[-1]))

        def predict(noisy: np.ndarray, time: int) -> np.ndarray:
            return session.run(None, {**constant, "noisy": noisy, "time": np.array([time])})[0]

        return predict
