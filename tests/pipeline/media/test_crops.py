"""Crops are read alike by either library."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.media import crops
from pipeline.media.film import write_video


@pytest.fixture
def crop(tmp_path):
    """Forty frames of moving noise, with frames that depend on later ones."""
    random = np.random.default_rng(3)
    noise = np.kron(random.integers(0, 256, (8, 16, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    write_video(tmp_path / "crop.mp4", (np.roll(noise, 3 * t, axis=1)[:, :64] for t in range(40)), 25)
    return tmp_path / "crop.mp4"


@pytest.mark.parametrize("indices", [None, [0], [39, 3, 3, 17], range(5, 30, 7)])
def test_both_readers_give_the_same_frames(crop, indices, monkeypatch):
    pytest.importorskip("decord")
    by_decord = crops.read_crop(crop, indices)
    monkeypatch.setattr(crops, "LIBRARY", "av")
    np.testing.assert_array_equal(crops.read_crop(crop, indices), by_decord)
    assert len(by_decord) == (40 if indices is None else len(indices))


def test_a_frame_that_is_not_there(crop, monkeypatch):
    monkeypatch.setattr(crops, "LIBRARY", "av")
    with pytest.raises(IndexError, match=r"crop\.mp4 has no frame 40"):
        crops.read_crop(crop, [1, 40])
