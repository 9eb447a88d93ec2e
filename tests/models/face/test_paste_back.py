"""Crops put back into their picture: nothing outside changes, nothing inside moves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.face.face import Rect
from models.face.paste_back import FEATHER, PasteBack, feathered_mask
from models.face.source_crop import crop_matrix


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([127 + 90 * np.sin(x / 23), 127 + 90 * np.cos(y / 31), 127 + 60 * np.sin((x + y) / 40)], -1).astype(
        np.uint8)


def test_the_mask_is_a_raised_cosine_from_the_border_inwards():
    """Side 101, feather 12.12: at depth 6 the cosine is at 6 / 12.12 of half a turn."""
    mask = feathered_mask(101)
    assert mask[0].max() == 0 and mask[:, -1].max() == 0
    assert mask[13:-13, 13:-13].min() == 1
    np.testing.assert_allclose(mask[6, 50], 0.5 - 0.5 * np.cos(np.pi * 6 / (FEATHER * 101)), atol=1e-6)
    np.testing.assert_allclose(mask[6, 6], mask[6, 50] ** 2, atol=1e-6)


@pytest.mark.parametrize(("centre", "side", "angle_deg"), [
    ((150.0, 120.0), 100.0, 0.0), ((150.0, 120.0), 100.0, 30.0), ((20.0, 30.0), 90.0, 0.0),
    ((150.0, 120.0), 220.0, -15.0)])
def test_a_crop_goes_back_to_where_it_was_cut(centre, side, angle_deg):
    picture = smooth(241, 321)
    matrix = crop_matrix(Rect(np.array(centre), side, np.radians(angle_deg)))
    crop = cv2.warpAffine(picture, matrix, (512, 512), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    whole = PasteBack(picture, matrix)(crop)
    assert whole.shape == (240, 320, 3)  # even sides
    assert np.abs(whole.astype(int) - picture[:240, :320]).max() <= 6


def test_nothing_outside_the_crop_changes_and_its_middle_is_the_frame():
    picture = smooth(200, 300)
    matrix = crop_matrix(Rect(np.array([150.0, 100.0]), 100.0, 0.0))
    paste = PasteBack(picture, matrix)
    whole = paste(np.full((512, 512, 3), (255, 0, 0), np.uint8))
    inside = np.zeros((200, 300), bool)
    inside[50:150, 100:200] = True
    np.testing.assert_array_equal(whole[~inside], picture[~inside])
    np.testing.assert_array_equal(whole[70:130, 120:180], np.broadcast_to((255, 0, 0), (60, 60, 3)))
    np.testing.assert_array_equal(paste(np.zeros((512, 512, 3), np.uint8))[0], picture[0])  # frames leave no trace


def test_the_edge_is_soft():
    picture = np.zeros((200, 200, 3), np.uint8)
    matrix = crop_matrix(Rect(np.array([100.0, 100.0]), 100.0, 0.0))
    row = PasteBack(picture, matrix)(np.full((512, 512, 3), 255, np.uint8))[100, :, 0].astype(int)
    assert row[49] == 0 and row[100] == 255
    assert np.abs(np.diff(row)).max() <= 40
