"""Arithmetic of the mesh renderer: backward maps, interpolation, filling, masks."""

from __future__ import annotations

import numpy as np
import pytest

from models.face.points import IRISES, KEYPOINTS, LIPS_INNER_CONTOUR_LOWER, LIPS_INNER_CONTOUR_UPPER, positions
from models.landmark.interpolation import interpolation_matrix
from models.landmark.matte import guided_filter, person_matte, pull_push
from models.landmark.mouth import compose, invert, mouth_plane
from models.landmark.patch import Window, composite, polygon_mask, warp_patch, window_of
from models.landmark.raster import backward_affines, draw_triangle_ids, slivers_first
from models.landmark.teeth import ENAMEL, MouthColours, draw_lower, draw_upper
from models.motion.camera import rotation_from_angles

RANDOM = np.random.default_rng(7)
TEMPLATE = RANDOM.normal(size=(468, 3))
FACE = np.concatenate([TEMPLATE + 0.1 * RANDOM.normal(size=(468, 3)), RANDOM.normal(size=(10, 3))])
SPREAD = interpolation_matrix(TEMPLATE, FACE[list(KEYPOINTS)], FACE[:468])


def test_backward_affines_take_corners_back():
    source, target = RANDOM.uniform(0, 99, (6, 2)), RANDOM.uniform(0, 99, (6, 2))
    triangles = np.array([[0, 1, 2], [3, 4, 5]])
    for affine, corners in zip(backward_affines(source, target, triangles), triangles, strict=True):
        np.testing.assert_allclose(target[corners] @ affine[:, :2].T + affine[:, 2], source[corners], atol=1e-9)


def test_a_collapsed_triangle_has_no_map():
    flat = np.array([[0.0, 0], [1, 1], [2, 2]])
    assert np.isnan(backward_affines(np.eye(3)[:, :2], flat, np.array([[0, 1, 2]]))).all()


def test_later_triangles_cover_earlier_ones():
    corners = np.array([[-10.0, -10], [60, -10], [-10, 60]])
    ids = draw_triangle_ids(corners, np.array([[0, 1, 2], [0, 1, 2]]), np.array([1, 0]), 32)
    assert ids[3, 3] == 0 and ids[31, 31] == -1


def test_a_sliver_is_covered_by_its_neighbours():
    """A square in two halves, between them a triangle squeezed to 0.1 pixels; drawn last it colours 40 of them."""
    source = np.array([[0.0, 0], [40, 0], [40, 40], [0, 40], [30, 10]])
    target = source.copy()
    target[4] = [20.05, 19.95]  # nearly on the diagonal
    triangles = np.array([[0, 1, 4], [1, 2, 4], [0, 2, 3], [0, 4, 2]])
    order = slivers_first(np.arange(4), backward_affines(source, target, triangles))
    assert order.tolist() == [3, 0, 1, 2]
    ids = draw_triangle_ids(target, triangles, order, 40)
    assert (ids >= 0).all() and not (ids == 3).any()
    assert (draw_triangle_ids(target, triangles, np.arange(4), 40) == 3).sum() == 40


def test_any_head_pose_is_carried_over_exactly():
    moved = 1.3 * (FACE @ rotation_from_angles(np.array([10.0, -30, 5]))) + [0.2, -0.1, 0]
    displacement = moved[list(KEYPOINTS)] - FACE[list(KEYPOINTS)]
    np.testing.assert_allclose(FACE[:468] + SPREAD @ displacement, moved[:468], atol=1e-9)


def test_key_points_go_where_they_are_sent_and_irises_leave_the_skin():
    displacement = RANDOM.normal(size=(70, 3))
    moved = SPREAD @ displacement
    skin = positions(tuple(index for index in KEYPOINTS if index not in IRISES))
    np.testing.assert_allclose(moved[np.array(KEYPOINTS)[skin]], displacement[skin], atol=1e-9)
    assert not SPREAD[:, positions(IRISES)].any()


def test_pull_push_keeps_what_is_known_and_fills_from_it():
    values = np.zeros((37, 23, 3), np.float32)
    values[:, :5], values[:, -5:] = 10, 20
    known = np.zeros((37, 23), np.float32)
    known[:, :5] = known[:, -5:] = 1
    filled = pull_push(values, known)
    np.testing.assert_allclose(filled[:, :5], 10, atol=1e-4)
    assert (filled >= 10 - 1e-3).all() and (filled <= 20 + 1e-3).all()
    assert abs(filled[18, 11, 0] - 15) < 2.5
    np.testing.assert_allclose(pull_push(values, np.zeros_like(known)).std(), 0, atol=1e-4)


def test_guided_filter_follows_the_guide():
    guide = np.zeros((40, 40), np.float32)
    guide[:, 20:] = 1
    np.testing.assert_allclose(guided_filter(guide, guide, 4, 1e-6), guide, atol=1e-3)
    constant = np.full((40, 40), 0.3, np.float32)
    np.testing.assert_allclose(guided_filter(guide, constant, 4, 1e-4), constant, atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_a_matte_exists_however_large_the_face(scale):
    face = RANDOM.uniform(-0.3, 0.3, (468, 2)) * scale
    matte = person_matte(RANDOM.integers(0, 255, (96, 96, 3), np.uint8), face)
    assert matte.shape == (96, 96) and np.isfinite(matte).all() and matte.min() >= 0 and matte.max() <= 1


def test_polygon_mask_has_the_area_of_the_polygon():
    window = Window(10, 20, 30, 30)
    triangle = np.array([[12.0, 22], [32, 22], [12, 42]])
    assert polygon_mask(triangle, window).sum() == pytest.approx(200, rel=0.1)
    assert not polygon_mask(triangle + 500, window).any()


def test_windows_stay_inside_the_frame():
    assert window_of(np.array([[-50.0, 4], [5, 9]]), 64, margin=2) == Window(0, 2, 8, 10)
    assert window_of(np.array([[-50.0, 4], [-5, 9]]), 64, margin=2) is None


def test_a_patch_lands_where_its_affine_says():
    patch = np.ones((4, 4, 3), np.float32)
    warped = warp_patch(patch, np.array([[1.0, 0, 12], [0, 1, 11]]), Window(10, 10, 10, 10))
    assert warped[1:5, 2:6].all() and warped.sum() == 48


def test_composite_blends_by_opacity():
    frame = np.full((8, 8, 3), 100, np.uint8)
    composite(frame, Window(2, 2, 2, 2), np.full((2, 2, 3), 200.0), np.array([[0, 0.5], [1, 1]]))
    assert frame[2:4, 2:4, 0].tolist() == [[100, 150], [200, 200]]
    assert frame.sum() == 100 * 192 + (50 + 100 + 100) * 3


def test_affines_compose_and_invert():
    a, b = RANDOM.normal(size=(2, 3)), RANDOM.normal(size=(2, 3))
    point = RANDOM.normal(size=2)
    inner = b[:, :2] @ point + b[:, 2]
    np.testing.assert_allclose(compose(a, b) @ [*point, 1], a @ [*inner, 1])
    np.testing.assert_allclose(compose(a, invert(a)), [[1, 0, 0], [0, 1, 0]], atol=1e-9)


def test_the_mouth_plane_is_the_head_seen_along_z():
    rotation, translation = rotation_from_angles(np.array([5.0, 20, -10])), np.array([0.1, 0.2, 0])
    plane = mouth_plane(np.array([0.0, 0.3, -0.4]), 0.8, rotation, translation)
    point = 0.8 * (np.array([0.05, 0.3 + 0.02, -0.4 + 0.03]) @ rotation) + translation
    np.testing.assert_allclose(plane @ [0.05, 0.02, 1], point[:2], atol=1e-12)


def test_teeth_are_light_and_symmetric_and_follow_the_picture():
    colours = MouthColours.from_skin(np.array([205.0, 162, 142]))
    np.testing.assert_allclose(colours.apply(ENAMEL), ENAMEL, atol=1)
    for draw in (draw_upper, draw_lower):
        drawing = draw(200.0, colours)
        painted = drawing[..., :3] * drawing[..., 3:]
        np.testing.assert_allclose(painted, painted[:, ::-1], atol=12)
    grey = MouthColours.from_skin(np.array([90.0, 90, 90])).apply(ENAMEL)
    assert np.ptp(grey) < 35 and grey.max() < 160


def test_lip_contours_are_pairs():
    assert len(LIPS_INNER_CONTOUR_UPPER) == len(LIPS_INNER_CONTOUR_LOWER) == 11
    assert set(LIPS_INNER_CONTOUR_UPPER) & set(LIPS_INNER_CONTOUR_LOWER) == {78, 308}
