"""Sync-C and Sync-D by the synthetic checks of syncnet_python's own arithmetic, and the crop by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.judges.sync_score import face_crops, sync_score

I, J = np.mgrid[0:60, 0:8]


def base(shift: int) -> np.ndarray:
    return np.sin(0.31 * (I + shift) * (J + 1) + 0.2 * J)


@pytest.mark.parametrize(("sound", "offset", "distance", "confidence"), [
    (base(0), 0, 0.000003, 2.733491), (base(3), 3, 0.095804, 2.646396), (base(-4), -4, 0.141004, 2.594112),
    (base(3) + 0.1 * np.cos(0.7 * (I + 1) * (J + 2)), 3, 0.289685, 2.455019)])
def test_offsets_distances_and_confidences(sound, offset, distance, confidence):
    found = sync_score(base(0), sound)
    assert found.offset == offset
    assert found.distance == pytest.approx(distance, abs=1e-6)
    assert found.confidence == pytest.approx(confidence, abs=1e-6)


def test_vectors_must_be_pairs():
    with pytest.raises(ValueError, match="N >= 1"):
        sync_score(np.zeros((3, 8)), np.zeros((4, 8)))


def test_the_crop_goes_one_half_side_up_and_1_8_down():
    """A box of half side 50 around (200, 150): x 130 to 270, y 100 to 240."""
    frame = np.zeros((400, 400, 3), np.uint8)
    frame[100:240, 130:270] = 200
    frame[100:170, 130:270, 0] = 90
    crops = face_crops(np.repeat(frame[None], 20, 0), np.tile([150.0, 100, 250, 200], (20, 1)))
    assert crops.shape == (20, 224, 224, 3)
    middle = crops[10].astype(int)
    assert middle[2:-2, 2:-2, 1].min() == 200
    assert (middle[2:110, :, 0] == 90).all() and (middle[114:, :, 0] == 200).all()


def test_what_leaves_the_picture_is_grey_and_a_lost_box_is_smoothed_away():
    frames = np.full((20, 100, 100, 3), 30, np.uint8)
    boxes = np.tile([-20.0, -20, 40, 40], (20, 1))
    boxes[9] = [60, 60, 99, 99]
    crops = face_crops(frames, boxes)
    assert (crops[10, :20, :20] == 110).all() and (crops[10, -20:, -20:] == 30).all()
    assert np.array_equal(crops[9], crops[10])
