"""The picture around the rendered face: the portrait's own background, continued, and the mark that it is made."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.media.lettering import draw_outlined

MARK = "synthetic"
FEATHER_PX = 10


class Canvas:
    """Places rendered squares into pictures of one size, standing on the lower edge.

    portrait [512, 512, 3] gives the background; `side_px` is the side of the square in the picture, at most the
    picture's own; `shift` from -1 (left) to 1 (right) places it across.
    """

    def __init__(self, portrait: np.ndarray, width_px: int, height_px: int, side_px: int, shift: float):
        side = min(side_px, width_px, height_px)
        self.side_px, self.top = side, height_px - side
        self.left = round((width_px - side) * (0.5 + 0.5 * shift))
        square = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
        self.background = _continue_edges(square, self.top, self.left, width_px - side - self.left)
        edge = np.minimum(np.arange(side), np.arange(side)[::-1]) / FEATHER_PX
        down = np.arange(side) / FEATHER_PX  # the lower edge is the picture's: nothing to blend with
        self.share = (np.clip(edge, 0, 1)[None] * np.clip(down, 0, 1)[:, None])[..., None].astype(np.float32)

    def place(self, rendered: np.ndarray) -> np.ndarray:
        """rendered [512, 512, 3] uint8 -> picture [height, width, 3] uint8."""
        picture = self.background.copy()
        square = cv2.resize(rendered, (self.side_px, self.side_px), interpolation=cv2.INTER_AREA)
        window = picture[self.top:, self.left:self.left + self.side_px]
        window[:] = np.round(window + self.share * (square.astype(np.float32) - window)).astype(np.uint8)
        return _mark(picture)

    def face_box(self, low: np.ndarray, high: np.ndarray) -> tuple[float, float, float, float]:
        """Box (left, top, right, bottom) as shares of the picture, from corners [2] in crop coordinates."""
        height, width = self.background.shape[:2]
        corners = (np.stack([low, high]) + 1) / 2 * self.side_px + [self.left, self.top]
        left, top, right, bottom = np.clip(corners / [width, height], 0, 1).ravel()
        return float(left), float(top), float(right), float(bottom)


def _continue_edges(square: np.ndarray, above: int, left: int, right: int) -> np.ndarray:
    """The square with its edges continued outwards, smoother the farther out: wall stays wall, shoulder shoulder."""
    band = max(4, square.shape[0] // 40)
    edges = square.astype(np.float32)
    edges[:, :band] = edges[:, :band].mean(1, keepdims=True)
    edges[:, -band:] = edges[:, -band:].mean(1, keepdims=True)
    edges[:band] = edges[:band].mean(0, keepdims=True)
    smooth = cv2.GaussianBlur(cv2.copyMakeBorder(edges, above, 0, left, right, cv2.BORDER_REPLICATE), (0, 0), 6)
    smooth[above:, left:left + square.shape[1]] = square
    return np.round(smooth).astype(np.uint8)


def _mark(picture: np.ndarray) -> np.ndarray:
    """Write the mark into the upper left corner, outside the face, light with a dark rim."""
    draw_outlined(picture, MARK, 5, 3, 9, (225, 225, 225))
    return picture
