"""A mark that viewers see: a short text in the lower right corner of every frame."""

from __future__ import annotations

import numpy as np

from pipeline.media.lettering import outlined

HEIGHT = 0.035  # of capitals, in the frame's smaller side
MIN_PX = 11  # smaller letters cannot be read
OPACITY = 0.75
MAX_LETTERS = 60


class VisibleMark:
    """Draws `text`, whose picture is made once; raises ValueError for anything but printable ASCII."""

    def __init__(self, text: str):
        if not text.strip() or len(text) > MAX_LETTERS or not (text.isascii() and text.isprintable()):
            raise ValueError(f"the mark {text!r} cannot be drawn: up to {MAX_LETTERS} printable ASCII letters")
        self._text, self._made = text, None

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """frame [H, W, 3] uint8 -> the same with the mark."""
        if self._made is None:
            self._made = _layer(self._text, frame.shape[0], frame.shape[1])
        where, colour, opacity = self._made
        marked = frame.copy()
        marked[where] = np.round(frame[where] * (1 - opacity) + colour * opacity).astype(np.uint8)
        return marked


def _layer(text: str, height: int, width: int) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
    """Where the mark stands, its colour [h, w, 3] and opacity [h, w, 1]: white letters with a dark rim."""
    letter_px = max(HEIGHT * min(height, width), MIN_PX)
    letters, rim = outlined(text, letter_px, width)
    bottom, right = height - round(letter_px / 2), width - min(round(letter_px / 2), width - rim.shape[1])
    where = slice(bottom - rim.shape[0], bottom), slice(right - rim.shape[1], right)
    return where, np.repeat(255 * letters[..., None], 3, axis=2), rim[..., None] * OPACITY
