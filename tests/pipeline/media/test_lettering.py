from __future__ import annotations

import numpy as np
import pytest

from pipeline.media.lettering import draw_outlined, lettering

YELLOW = (255, 210, 0)


@pytest.mark.parametrize("letter_px", [8, 12, 18, 40])
def test_letters_are_as_high_as_asked_and_have_a_rim_around_them(letter_px):
    """The rim reaches round(0.12 letter) px beyond the letters on all four sides."""
    image = np.full((100, 900, 3), 128, np.uint8)
    draw_outlined(image, "HI", 30, 20, letter_px, YELLOW)
    letters, drawn = (image[..., 0] > 200), (image != 128).any(-1)
    reach = max(1, round(0.12 * letter_px))
    assert abs(np.ptp(np.flatnonzero(letters.any(1))) + 1 - letter_px) <= 2
    for axis in (0, 1):
        inner, outer = (np.flatnonzero(part.any(axis)) for part in (letters, drawn))
        assert reach <= inner[0] - outer[0] <= reach + 2 and reach <= outer[-1] - inner[-1] <= reach + 2
    assert not drawn[[0, -1]].any() and not drawn[:, [0, -1]].any()


def test_a_long_text_becomes_smaller():
    assert lettering("M" * 60, 20, 200).width <= 204


@pytest.mark.parametrize("place", [(-50, -50), (500, 500), (20, 10)])
def test_text_stays_inside_the_picture(place):
    image = np.full((60, 100, 3), 128, np.uint8)
    draw_outlined(image, "12", *place, 20, YELLOW)
    assert (image == YELLOW).all(-1).sum() > 20 and (image < 10).all(-1).sum() > 20
    whole = np.full((60, 100, 3), 128, np.uint8)
    draw_outlined(whole, "12", 20, 10, 20, YELLOW)
    assert (image != 128).sum() == (whole != 128).sum()   # nothing is cut off
