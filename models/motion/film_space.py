"""What dubbing asks of a face space: a film's face looked at frame by frame, and its mouth drawn anew in the film.

Rows hold what is known of a face in one frame, in pixels of the film, so that they do not depend on the square that
was looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from models.motion.motion import Motion


@dataclass(frozen=True)
class PixelSquare:
    """A square of whole pixels: the first one's place and the side."""

    left: int
    top: int
    side: int

    def from_crop(self, points: np.ndarray) -> np.ndarray:
        """Crop coordinates [..., 2 or 3] in [-1, 1] -> pixels (centres at .0); depth in pixels, too."""
        shift = np.array([self.left + self.side / 2 - 0.5, self.top + self.side / 2 - 0.5, 0.0])
        return points * (self.side / 2) + shift[:points.shape[-1]]


class FilmSpace(Protocol):
    """`mouth` [K] bool: the key points that follow the speech; all else is the film's. Beyond `max_yaw_deg` and
    `max_pitch_deg` it cannot draw."""

    row_dim: int
    mouth: np.ndarray
    max_yaw_deg: float
    max_pitch_deg: float

    def begin(self) -> None:
        """A new shot: nothing that was seen before helps."""

    def look(self, crop: np.ndarray, square: PixelSquare) -> np.ndarray | None:
        """crop [S, S, 3] uint8 of a square of the film -> row [row_dim]; None where no face is seen."""

    def canonical(self, parts: Iterable[np.ndarray]) -> np.ndarray:
        """All rows of one face in parts [n, row_dim] -> its canonical key points x_c [K, 3]."""

    def motion(self, rows: np.ndarray, x_c: np.ndarray, square: PixelSquare) -> Motion:
        """rows [n, row_dim] -> Motion, head pose in half widths of `square`."""

    def opening(self, rows: np.ndarray) -> np.ndarray:
        """rows [n, row_dim] -> how far the mouth is open [n], in face widths; 0 where a space cannot tell."""

    def inside(self, picture: np.ndarray, row: np.ndarray, x_c: np.ndarray) -> Any:
        """What an opened mouth shows, taken from a picture [H, W, 3] of the film."""

    def redraw(self, picture: np.ndarray, row: np.ndarray, x_c: np.ndarray, delta: np.ndarray, inside: Any,
               share: float) -> None:
        """Draw the mouth of `delta` [K, 3] into a picture [H, W, 3] uint8 of the film, in place.

        `share` from 0 (the film's own mouth) to 1 leads over where frames cannot be drawn.
        """
