"""LivePortrait's driving square, by hand, and what is cut out."""

from __future__ import annotations

import numpy as np
import pytest

from models.face.driving_crop import Square, cut, driving_square


def test_square_of_one_box_by_hand():
    # 100 wide, 80 high, centre (150, 140): side 2.2 x 100, moved up by 0.1 of the side
    square = driving_square(np.array([[100, 100, 200, 180]]), 2.2, -0.1)
    assert (square.x, square.y, square.side) == pytest.approx((150.0, 140.0 - 22.0, 220.0))


def test_square_is_the_mean_over_frames():
    boxes = np.array([[0, 0, 100, 100], [100, 200, 150, 280]], float)
    square = driving_square(boxes, 2.0, -0.1)
    assert (square.x, square.y) == pytest.approx(((50 + 125) / 2, (50 - 20 + 240 - 16) / 2))
    assert square.side == pytest.approx((200 + 160) / 2)


@pytest.mark.parametrize("boxes", [np.zeros((0, 4)), np.zeros((1, 4)), np.full((1, 4), np.nan), np.zeros(4)])
def test_impossible_boxes(boxes):
    with pytest.raises(ValueError, match="box"):
        driving_square(boxes, 2.2, -0.1)


def picture(height=40, width=60):
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.full_like(x, 7)], axis=2).astype(np.uint8)


def test_cut_inside_is_the_picture_itself():
    assert (cut(picture(), Square(30, 20, 16), 16) == picture()[12:28, 22:38]).all()


def test_cut_halves_by_averaging():
    assert (cut(np.kron(np.array([[0, 200]], np.uint8), np.ones((2, 1), np.uint8))[..., None].repeat(3, 2).repeat(2, 0),
                Square(1, 2, 2), 1) == 100).all()


@pytest.mark.parametrize(("square", "corner"), [(Square(0, 0, 20), (0, 0)), (Square(60, 40, 20), (59, 39)),
                                               (Square(-500, -500, 20), (0, 0)), (Square(900, 900, 20), (59, 39))])
def test_cut_outside_repeats_the_border(square, corner):
    crop = cut(picture(), square, 20)
    assert crop.shape == (20, 20, 3)
    far = crop[0, 0] if corner == (0, 0) else crop[-1, -1]
    assert tuple(far[:2]) == corner


@pytest.mark.parametrize("side", [1, 7, 33, 100, 333])
def test_cut_has_the_asked_size_for_any_square(side):
    rng = np.random.default_rng(side)
    for x, y in rng.uniform(-100, 150, (20, 2)):
        assert cut(picture(), Square(x, y, side + 0.4), 24).shape == (24, 24, 3)
