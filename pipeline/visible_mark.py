"""A mark that viewers see: a short text in the lower right corner of every frame."""

from __future__ import annotations

import cv2
import numpy as np

FONT, HEIGHT = cv2.FONT_HERSHEY_SIMPLEX, 0.035  # of the frame's smaller side
OPACITY = 0.65
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
    wanted = HEIGHT * min(height, width)
    (unit_width, unit_height), _ = cv2.getTextSize(text, FONT, 1.0, 1)
    scale = min(wanted / unit_height, 0.94 * width / unit_width)
    line = max(1, round(scale * 1.6))
    (text_width, text_height), below = cv2.getTextSize(text, FONT, scale, line)
    edge = 2 * line + 2
    box = text_height + below + 2 * edge, min(width, text_width + 2 * edge)
    letters, rim = np.zeros(box, np.uint8), np.zeros(box, np.uint8)
    for layer, thick in ((rim, 3 * line), (letters, line)):
        cv2.putText(layer, text, (edge, edge + text_height), FONT, scale, 255, thick, cv2.LINE_AA)
    bottom, right = height - box[0] // 4, width
    where = slice(max(0, bottom - box[0]), bottom), slice(right - box[1], right)
    rows = where[0].stop - where[0].start
    return where, letters[-rows:, :, None].astype(np.float32), np.maximum(letters, rim)[-rows:, :, None] / 255 * OPACITY
