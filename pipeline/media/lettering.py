"""Letters with a dark rim, which can be read on any picture.

The rim is grown from the letters themselves: drawing them once more, thicker, moves them where a font has weights, as
OpenCV's has since version 5.
"""

from __future__ import annotations

import cv2
import numpy as np

FONT = cv2.FONT_HERSHEY_SIMPLEX


def outlined(text: str, letter_px: float, max_width_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Letters and letters with their rim, coverage [h, w] float32 in [0, 1]; capitals `letter_px` high, smaller where
    the text would be wider than `max_width_px`."""
    (unit_width, unit_height), _ = cv2.getTextSize(text, FONT, 1.0, 2)
    rim_px = max(1, round(0.12 * letter_px))
    scale = min(letter_px / unit_height, (max_width_px - 2 * rim_px - 2) / unit_width)
    (width, height), below = cv2.getTextSize(text, FONT, scale, 2)
    picture = np.zeros((height + below + 2 * rim_px + 2, width + 2 * rim_px + 2), np.uint8)
    cv2.putText(picture, text, (rim_px + 1, rim_px + 1 + height), FONT, scale, 255, 2, cv2.LINE_AA)
    round_px = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim_px + 1,) * 2)
    return picture.astype(np.float32) / 255, cv2.dilate(picture, round_px).astype(np.float32) / 255


def draw_outlined(image: np.ndarray, text: str, left: int, top: int, letter_px: float,
                  colour: tuple[int, int, int]) -> None:
    """Draw into image [H, W, 3] uint8; what does not fit is moved inside."""
    height, width = image.shape[:2]
    letters, rim = (part[:height, :width, None] for part in outlined(text, letter_px, width))
    left, top = max(0, min(left, width - letters.shape[1])), max(0, min(top, height - letters.shape[0]))
    place = image[top:top + letters.shape[0], left:left + letters.shape[1]]
    place[:] = np.round(place * (1 - rim) + letters * colour)
