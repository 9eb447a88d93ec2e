from __future__ import annotations

import numpy as np
import pytest

from pipeline.media.lettering import draw_outlined, outlined


@pytest.mark.parametrize("letter_px", [8, 12, 18, 40])
def test_the_rim_goes_around_every_letter(letter_px):
    """The rim reaches round(0.12 letter) px beyond the letters on all four sides, and covers them."""
    letters, rim = outlined("AI generated", letter_px, 1000)
    reach = max(1, round(0.12 * letter_px))
    for axis in (0, 1):
        inner, outer = (np.flatnonzero(part.any(axis)) for part in (letters, rim))
        assert (inner[0] - outer[0], outer[-1] - inner[-1]) == (reach, reach)
    assert (rim >= letters).all() and letters.max() > 0.8
    assert not letters[[0, -1]].any() and not letters[:, [0, -1]].any()  # nothing is cut off


def test_a_long_text_becomes_smaller():
    letters, _ = outlined("M" * 60, 20, 200)
    assert letters.shape[1] <= 210 and letters.any()


@pytest.mark.parametrize("place", [(-50, -50), (500, 500), (20, 10)])
def test_text_stays_inside_the_picture(place):
    image = np.full((60, 100, 3), 128, np.uint8)
    draw_outlined(image, "12", *place, 20, (255, 210, 0))
    assert (image == (255, 210, 0)).all(-1).sum() > 20 and (image < 10).all(-1).sum() > 20
