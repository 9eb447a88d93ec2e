"""A mouth drawn anew in a picture of a film: what must move, what must not, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from models.face.points import (
    BROW_LEFT,
    BROW_RIGHT,
    EYE_CORNERS,
    EYELID_LOWER_LEFT,
    EYELID_UPPER_RIGHT,
    IRISES,
    JAW,
    KEYPOINTS,
    LIPS_INNER_LOWER,
    LIPS_OUTER_LOWER,
    NUM_KEYPOINTS,
    positions,
)
from models.landmark.film import RING, LandmarkFilm, _ring
from models.landmark.space import LandmarkFaceSpace
from models.motion.film_space import PixelSquare
from tests.needs import weight

SQUARE = PixelSquare(0, 0, 400)


@pytest.fixture(scope="module")
def film() -> LandmarkFilm:
    return LandmarkFilm(LandmarkFaceSpace(weight("face_landmarker")))


@pytest.fixture(scope="module")
def row(film, picture) -> np.ndarray:
    film.begin()
    return film.look(picture, SQUARE)


@pytest.fixture(scope="module")
def x_c(film, row) -> np.ndarray:
    return film.canonical(iter([row[None]]))


def opened(film, row, x_c, drop=0.12) -> np.ndarray:
    """The face's own delta with the lips together and the lower one and the chin `drop` face widths down."""
    delta = film.motion(row[None], x_c, SQUARE).delta[0].astype(np.float64)
    delta[film.mouth] = 0
    for rows in (LIPS_INNER_LOWER, LIPS_OUTER_LOWER, JAW[:2]):
        delta[positions(rows), 1] += drop
    return delta


def redrawn(film, picture, row, x_c, delta, share=1.0) -> np.ndarray:
    made = picture.copy()
    film.redraw(made, row, x_c, delta, film.inside(picture, row, x_c), share)
    return made


def landmarks(film, picture) -> np.ndarray:
    film.begin()
    return film.look(picture, SQUARE)[:478 * 3].reshape(478, 3)


def test_the_mouths_key_points_are_lips_jaw_and_lower_cheeks(film):
    """Delta of this space is in key points: no dimension mixes mouth and eyes."""
    assert film.mouth.sum() == 24 + 4 + 2
    for kept in (EYE_CORNERS, EYELID_UPPER_RIGHT, EYELID_LOWER_LEFT, BROW_LEFT, BROW_RIGHT, IRISES, (4, 168, 10, 234)):
        assert not film.mouth[positions(kept)].any()
    assert film.mouth[positions(JAW)].all()


def test_looking_agrees_with_the_spaces_own_extraction(film, picture, row, x_c):
    own = film.space.extract(picture[None])
    seen = film.motion(row[None], x_c, SQUARE)
    np.testing.assert_allclose(x_c, own.x_c, atol=5e-3)
    np.testing.assert_allclose(film.space.keypoints(seen)[0, :, :2], film.space.keypoints(own)[0, :, :2], atol=5e-3)
    half = film.motion(row[None], x_c, PixelSquare(100, 100, 200))   # in another square the same face is twice as large
    np.testing.assert_allclose(half.s, 2 * seen.s, rtol=1e-6)
    np.testing.assert_allclose(half.delta, seen.delta, atol=1e-6)


def test_a_new_mouth_opens_and_nothing_beyond_the_ring_or_about_the_eyes_changes(film, picture, row, x_c):
    made = redrawn(film, picture, row, x_c, opened(film, row, x_c))
    points = row[:478 * 3].reshape(478, 3)
    before, after = points, landmarks(film, made)
    gap = [np.linalg.norm(p[14, :2] - p[13, :2]) / np.linalg.norm(p[454, :2] - p[234, :2]) for p in (before, after)]
    assert gap[1] > 0.08     # 0.12 was asked for; the landmarker's own word
    rows, columns = np.nonzero((made != picture).any(-1))
    ring = _ring(points)
    assert rows.min() >= points[[145, 374], 1].min() and rows.max() <= ring[:, 1].max() + 1
    assert columns.min() >= ring[:, 0].min() - 1 and columns.max() <= ring[:, 0].max() + 1
    assert RING > 1
    lids = [159, 145, 386, 374, 105, 334]
    assert np.abs(after[lids, :2] - before[lids, :2]).max() < 2.5


def test_the_border_is_no_step(film, picture, row, x_c):
    """What changes falls to zero towards the ring: beside it no pixel is farther off than its own neighbours are."""
    made = redrawn(film, picture, row, x_c, opened(film, row, x_c)).astype(np.float64)
    change = np.abs(made - picture).max(-1)
    ring = np.round(_ring(row[:478 * 3].reshape(478, 3))).astype(int).clip(0, 399)
    around = np.array([change[max(0, y - 1):y + 2, max(0, x - 1):x + 2].max() for x, y in ring])
    both = picture.astype(np.float64)
    own = np.maximum(*(np.abs(both - np.roll(both, 1, axis)).max(-1) for axis in (0, 1)))
    allowed = np.array([own[max(0, y - 2):y + 3, max(0, x - 2):x + 3].max() for x, y in ring])
    assert (around <= allowed + 1).all()


def test_without_a_share_or_with_its_own_closed_mouth_a_picture_stays(film, picture, row, x_c):
    assert np.array_equal(redrawn(film, picture, row, x_c, opened(film, row, x_c), share=0.0), picture)


def test_delta_of_other_points_is_not_read(film, picture, row, x_c):
    delta = opened(film, row, x_c)
    other = delta + np.where(film.mouth[:, None], 0, 0.3)
    assert np.array_equal(redrawn(film, picture, row, x_c, delta), redrawn(film, picture, row, x_c, other))


def test_a_face_at_the_pictures_edge(film, picture, row, x_c):
    """The ring may reach outside; what is there is lost, what is inside is as it would be in a larger picture."""
    points = row[:478 * 3].reshape(478, 3)
    below = int(points[152, 1]) + 4
    cut = redrawn(film, np.ascontiguousarray(picture[:below]), row, x_c, opened(film, row, x_c, 0.05))
    whole = redrawn(film, picture, row, x_c, opened(film, row, x_c, 0.05))
    assert cut.shape == (below, 400, 3)
    assert np.abs(cut[:below - 60].astype(int) - whole[:below - 60]).mean() < 0.2


def test_an_empty_picture_has_no_face(film, picture):
    film.begin()
    assert film.look(np.zeros_like(picture), SQUARE) is None
    film.begin()


def test_key_points_are_those_of_the_space():
    assert len(KEYPOINTS) == NUM_KEYPOINTS == 70
