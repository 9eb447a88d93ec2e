"""A film's pictures are found again from any frame on, in every container."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from pipeline.dub.decoding import make_worker
from tests.stages.preprocess.makers import regular, write


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
@pytest.mark.parametrize("keys", [12, 1000])
def test_pictures_from_a_frame_on(tmp_path, name, keys):
    """Transport streams have no index: seeking lands behind the frame, or finds no key frame at all."""
    times = [time + Fraction(500) for time in regular(25, 2)]
    path = write(tmp_path / name, [np.full((48, 64, 3), 4 * i, np.uint8) for i in range(50)], times, keys=keys)
    decoder = make_worker({"media": str(path), "folder": str(tmp_path), "max_side_px": 4320})

    def found(start: str | None) -> list[str]:
        decoder({"kind": "begin", "small": False, "from": start})
        return [one["time"] for one in decoder({"kind": "more", "count": 100})["found"]]

    whole = found(None)
    assert len(whole) == 50
    for frame in (1, 20, 49):
        assert found(whole[frame]) == whole[frame:]
