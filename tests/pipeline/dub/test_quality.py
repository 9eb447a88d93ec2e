"""A film is written as well as its own grain asks for, in its own colours."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.dub.quality import CRFS, NEAR, apart, faithful_crf
from pipeline.media.video import BT709, Colours


def pictures(grain: float) -> list[np.ndarray]:
    """A slope that moves, with grey noise of that deviation."""
    random, slope = np.random.default_rng(0), np.repeat(np.linspace(60, 190, 128)[:, None], 3, axis=1)
    return [np.clip(np.roll(slope, i, axis=0) + random.normal(0, grain, (96, 128, 1)), 0, 255).astype(np.uint8)
            for i in range(8)]


def test_grain_asks_for_a_lower_crf_and_what_is_chosen_is_near(tmp_path):
    clean, grainy = faithful_crf(pictures(0), BT709), faithful_crf(pictures(2), BT709)
    assert clean == CRFS[0] > grainy > CRFS[-1]
    assert apart(pictures(2), tmp_path / "a.mp4", grainy, BT709) <= NEAR
    assert apart(pictures(2), tmp_path / "b.mp4", grainy + 2, BT709) > NEAR


@pytest.mark.parametrize("colours", [BT709, Colours(6, 6, 6), Colours(6, 2, 2)])
def test_colours_come_back(colours, tmp_path):
    plain = [np.full((64, 64, 3), (200, 60, 30), np.uint8)] * 3
    assert apart(plain, tmp_path / "a.mp4", 4, colours) <= 1.5
