"""Films of the report say that they are synthetic."""

from __future__ import annotations

import av
import numpy as np

from evaluation.jobs.shown import write_grid
from pipeline.media.crops import read_crop, write_wav
from pipeline.media.film import SYNTHETIC, write_video


def test_a_grid_of_films_has_the_tag_and_the_sound(tmp_path):
    for level in (50, 200):
        write_video(tmp_path / f"{level}.mp4", [np.full((64, 64, 3), level, np.uint8)] * 5, 25)
    write_wav(tmp_path / "a.wav", np.zeros(8000, np.float32))
    write_grid(tmp_path / "grid.mp4", [tmp_path / "50.mp4", tmp_path / "200.mp4"], tmp_path / "a.wav", 25, 20)
    assert read_crop(tmp_path / "grid.mp4").shape == (5, 64, 128, 3)
    with av.open(str(tmp_path / "grid.mp4")) as media:
        assert media.metadata["description"] == SYNTHETIC["description"] and "Synthetic" in SYNTHETIC["description"]
        assert len(media.streams.audio) == 1
