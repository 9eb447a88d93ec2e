"""LivePortrait's networks by ONNX Runtime, in float32:

    motion.onnx      M, picture [B, 3, 256, 256] -> rows [B, 133]
    appearance.onnx  F, picture [1, 3, 256, 256] -> volume [1, C, D, 64, 64]
    image.onnx       stitching, where the face space has it on, W and G: volume, source [1, 21, 3], driving [B, 21, 3]
                     -> image [B, 3, 512, 512]

Pictures are RGB in [0, 1]; the graphs read their weights from the face space's own file, which lies beside them.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from models.formats.onnx import open_graph

MOTION, APPEARANCE, IMAGE = "motion.onnx", "appearance.onnx", "image.onnx"


class GraphRunner:
    """`models.liveportrait.space.Runner` of a folder of graphs; each is opened when it is first asked for."""

    def __init__(self, folder: Path, batch: int, providers: list[str]):
        self.folder, self.batch, self.providers = folder, batch, providers

    @cached_property
    def _motion(self):
        return open_graph(self.folder / MOTION, self.providers)

    @cached_property
    def _appearance(self):
        return open_graph(self.folder / APPEARANCE, self.providers)

    @cached_property
    def _image(self):
        return open_graph(self.folder / IMAGE, self.providers)

    def motion(self, pictures: np.ndarray) -> np.ndarray:
        """As in `Runner`."""
        return self._motion.run(None, {"picture": _floats(pictures)})[0]

    def volume(self, picture: np.ndarray) -> np.ndarray:
        """As in `Runner`."""
        return self._appearance.run(None, {"picture": _floats(picture)})[0]

    def images(self, volume: np.ndarray, source: np.ndarray, driving: np.ndarray) -> np.ndarray:
        """As in `Runner`."""
        [images] = self._image.run(None, {"volume": volume, "source": source, "driving": driving})
        return np.rint(images * np.float32(255)).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def _floats(pictures: np.ndarray) -> np.ndarray:
    return pictures.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
