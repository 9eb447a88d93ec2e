"""One picture that shows a film: evenly spaced frames with their times."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from pipeline.core.atomic import atomic_path
from pipeline.media.lettering import draw_outlined


class ContactSheet:
    """Collects `tiles` of `frames` frames as they pass by, `tile_px` wide; memory does not grow with the film."""

    def __init__(self, frames: int, fps: float, tiles: int = 12, columns: int = 4, tile_px: int = 256):
        self._wanted = set(sheet_indices(frames, tiles))
        self._fps, self._columns, self._tile_px = fps, columns, tile_px
        self._seen = 0
        self._tiles: list[np.ndarray] = []

    def see(self, frame: np.ndarray) -> None:
        """Look at the next frame [H, W, 3]."""
        if self._seen in self._wanted:
            height_px = max(1, round(self._tile_px * frame.shape[0] / frame.shape[1]))
            tile = cv2.resize(frame, (self._tile_px, height_px), interpolation=cv2.INTER_AREA)
            draw_outlined(tile, f"{self._seen / self._fps:.2f} s", 4, 4, 12, (255, 255, 255))
            self._tiles.append(tile)
        self._seen += 1

    def picture(self) -> np.ndarray:
        """RGB [rows x tile height, columns x tile width, 3]."""
        missing = -len(self._tiles) % self._columns
        tiles = self._tiles + [np.zeros_like(self._tiles[0])] * missing
        rows = [np.hstack(tiles[start:start + self._columns]) for start in range(0, len(tiles), self._columns)]
        return np.vstack(rows)

    def save(self, path: Path) -> None:
        with atomic_path(path) as temporary:
            Image.fromarray(self.picture()).save(temporary)


def sheet_indices(frames: int, tiles: int) -> list[int]:
    """Indices of at most `tiles` frames, from the first to the last, evenly spaced."""
    return sorted({round(i) for i in np.linspace(0, frames - 1, min(tiles, frames))})
