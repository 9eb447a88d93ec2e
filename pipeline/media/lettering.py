"""Letters with a dark rim, which can be read on any picture: short texts, and a mark on every frame of a film."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CAPITALS = 0.7    # their height in the font's size
RIM = 0.12        # in the height of capitals
MARK_HEIGHT = 0.035  # of the mark's capitals, in the frame's smaller side
MIN_MARK_PX = 11  # smaller letters cannot be read
OPACITY = 0.75
MAX_LETTERS = 60


@dataclass(frozen=True)
class Lettering:
    """A text at one size: where its picture begins from the pen [px], how large it is, how thick its rim."""

    text: str
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont
    rim_px: int
    left: int
    top: int
    width: int
    height: int

    def draw(self, picture: Image.Image, fill: tuple[int, ...] | int, rim: tuple[int, ...] | int) -> None:
        """Into a picture of this size."""
        ImageDraw.Draw(picture).text((-self.left, -self.top), self.text, fill, self.font, stroke_width=self.rim_px,
                                     stroke_fill=rim)


@cache
def lettering(text: str, letter_px: float, max_width_px: int) -> Lettering:
    """Capitals `letter_px` high, smaller where the text would be wider than `max_width_px`."""
    rim_px = max(1, round(RIM * letter_px))
    size = letter_px / CAPITALS
    wide = ImageFont.load_default(size).getlength(text) + 2 * rim_px + 2
    font = ImageFont.load_default(max(1.0, size * min(1.0, (max_width_px - 2 * rim_px - 2) / (wide - 2 * rim_px - 2))))
    left, top, right, bottom = ImageDraw.Draw(Image.new("L", (1, 1))).textbbox((0, 0), text, font, stroke_width=rim_px)
    return Lettering(text, font, rim_px, int(left) - 1, int(top) - 1, int(right - left) + 2, int(bottom - top) + 2)


def draw_outlined(image: np.ndarray, text: str, left: int, top: int, letter_px: float,
                  colour: tuple[int, int, int]) -> None:
    """Draw into image [H, W, 3] uint8; what does not fit is moved inside."""
    height, width = image.shape[:2]
    letters = lettering(text, letter_px, width)
    left, top = max(0, min(left, width - letters.width)), max(0, min(top, height - letters.height))
    place = image[top:top + letters.height, left:left + letters.width]
    picture = Image.fromarray(np.ascontiguousarray(place))
    letters.draw(picture, colour, (0, 0, 0))
    place[:] = np.asarray(picture)


class VisibleMark:
    """A mark that viewers see: draws `text` into the lower right corner of every frame. Raises ValueError for anything
    but printable ASCII."""

    def __init__(self, text: str):
        if not text.strip() or len(text) > MAX_LETTERS or not (text.isascii() and text.isprintable()):
            raise ValueError(f"the mark {text!r} cannot be drawn: up to {MAX_LETTERS} printable ASCII letters")
        self._text = text
        self._layer: tuple[tuple[slice, slice], np.ndarray, np.ndarray] | None = None

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """frame [H, W, 3] uint8 -> the same with the mark."""
        if self._layer is None:
            self._layer = _layer(self._text, *frame.shape[:2])
        where, light, opacity = self._layer
        marked = frame.copy()
        marked[where] = np.round(frame[where] * (1 - opacity) + light * OPACITY).astype(np.uint8)
        return marked


def _layer(text: str, height: int, width: int) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
    """Where the mark stands, its light [h, w, 1], 0-255, and opacity [h, w, 1]: white letters with a dark rim."""
    letter_px = max(MARK_HEIGHT * min(height, width), MIN_MARK_PX)
    letters = lettering(text, letter_px, width)
    light, covered = (Image.new("L", (letters.width, letters.height)) for _ in range(2))
    letters.draw(light, 255, 0)
    letters.draw(covered, 255, 255)
    margin = round(letter_px / 2)
    bottom, right = height - margin, width - min(margin, max(0, width - letters.width))
    where = slice(max(0, bottom - letters.height), bottom), slice(max(0, right - letters.width), right)
    size = where[0].stop - where[0].start, where[1].stop - where[1].start
    drawn, opaque = (np.asarray(part, np.float32)[-size[0]:, -size[1]:, None] for part in (light, covered))
    return where, drawn, opaque / 255 * OPACITY
