from __future__ import annotations

import numpy as np
import pytest

from pipeline.media.lettering import VisibleMark


@pytest.mark.parametrize("size", [(512, 512), (256, 256), (720, 1280)])
def test_the_mark_stands_in_the_lower_right_corner(size):
    frame = np.full((*size, 3), 128, np.uint8)
    marked = VisibleMark("AI generated")(frame)
    changed = (marked != frame).any(-1)
    rows, columns = np.nonzero(changed)
    assert marked.shape == frame.shape and frame.min() == frame.max() == 128
    assert changed.sum() > 0.001 * changed.size
    assert rows.min() > 0.8 * size[0] and columns.mean() > 0.4 * size[1]
    assert marked.max() > 190 and marked.min() < 80  # seen on bright and dark pictures


@pytest.mark.parametrize("text", ["", "  ", "a" * 61, "KI – erzeugt", "a\nb"])
def test_what_cannot_be_drawn_is_refused(text):
    with pytest.raises(ValueError, match="cannot be drawn"):
        VisibleMark(text)
