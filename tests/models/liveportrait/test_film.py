"""Dubbing over toy networks: what is the mouth's, units, and that eyes and surroundings stay the film's pixels."""

from __future__ import annotations

import numpy as np
import pytest

from models.liveportrait.film import MOUTH, REACH, LivePortraitFilm, lower_face
from models.liveportrait.networks import seeded_networks
from models.liveportrait.runtime import Runtime
from models.liveportrait.torch_space import torch_space
from models.liveportrait.widths import TOY
from models.motion.film_space import PixelSquare

SQUARE = PixelSquare(60, 40, 256)


@pytest.fixture(scope="module")
def film() -> LivePortraitFilm:
    return LivePortraitFilm(torch_space(seeded_networks(TOY, 1), Runtime(batch=1, stitching=False)))


def test_the_mouth_is_the_released_codes_lip_region(film):
    assert tuple(np.flatnonzero(film.mouth)) == MOUTH == (6, 12, 14, 17, 19, 20)


def test_rows_hold_the_motion_in_any_square(film, picture):
    crop = np.ascontiguousarray(picture[40:296, 60:316])
    row, own = film.look(crop, SQUARE), film.space.extract(crop[None])
    x_c = film.canonical(iter([row[None], row[None]]))
    np.testing.assert_allclose(x_c, own.x_c, atol=1e-6)
    seen, double = (film.motion(row[None], x_c, square) for square in (SQUARE, PixelSquare(60, 40, 128)))
    np.testing.assert_allclose(seen.vector(), own.vector(), atol=1e-4)
    np.testing.assert_allclose(double.s, 2 * seen.s, rtol=1e-6)


def test_only_the_lower_face_is_laid_into_the_film_and_only_its_delta_is_read(film, picture):
    row = film.look(np.ascontiguousarray(picture[40:296, 60:316]), SQUARE)
    x_c = film.canonical(iter([row[None]]))
    delta = film.motion(row[None], x_c, SQUARE).delta[0] + 0.1
    made, other, none = picture.copy(), picture.copy(), picture.copy()
    film.redraw(made, row, x_c, delta, None, 1.0)
    film.redraw(other, row, x_c, delta + np.where(film.mouth[:, None], 0, 0.5), None, 1.0)
    film.redraw(none, row, x_c, delta, None, 0.0)
    assert np.array_equal(made, other) and np.array_equal(none, picture)
    rows, columns = np.nonzero((made != picture).any(-1))
    assert len(rows) and np.ptp(rows) <= REACH[1] * 256 + 2 and np.ptp(columns) <= REACH[0] * 256 + 2


def test_the_mask_falls_to_zero_without_a_step():
    mask = lower_face(np.array([0.0, 0.2]))
    assert mask.max() == 1 and mask[0].max() == 0 and np.abs(np.diff(mask, axis=0)).max() < 0.05
    assert mask[307, 256] > 0.99 and mask[150, 256] == 0   # the mouth, and between the eyes
