"""Folds of the skin: which movement folds it, where the light goes, what is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from models.face.points import BROW_RIGHT, NUM_KEYPOINTS, positions
from models.landmark.creases import (
    BETWEEN,
    CHANNELS,
    Crease,
    bare_skin,
    crease,
    facing,
    fold_depths,
    mirror_vertices,
    prepare_creases,
    valley,
)
from models.landmark.patch import Window, smooth_edge
from models.landmark.template import Template

INNER_RIGHT = positions((BROW_RIGHT[3],))[0]
SIZE = 512


def test_nothing_folds_a_face_that_keeps_its_picture_or_turns():
    still = fold_depths(np.zeros((NUM_KEYPOINTS, 3)))
    assert set(still) == set(BETWEEN) and not any(depth.any() for depth in still.values())
    lower = fold_depths(np.full((NUM_KEYPOINTS, 3), [0.0, 0.015, 0.3]))
    assert not any(depth.any() for depth in lower.values())


def test_one_drawn_brow_folds_its_own_side_by_how_far_it_went():
    moved = np.zeros((NUM_KEYPOINTS, 3))
    moved[INNER_RIGHT, 1] = 0.032  # the middle of 0.024 and 0.04
    depths = fold_depths(moved)
    np.testing.assert_allclose(depths["frown"], [0.5, 0])
    assert not depths["worry"].any()
    np.testing.assert_allclose(fold_depths(3 * moved)["frown"], [1, 0])
    np.testing.assert_allclose(fold_depths(-moved)["worry"], [1, 0])


def test_a_valley_is_dark_in_its_middle_light_beside_it_and_fades_at_its_ends():
    line = smooth_edge(np.array([[20.0, 30], [60, 30], [100, 30]]), parts=20)
    shade = valley(line, 3.0, Window(0, 0, 120, 60))
    assert shade[30, 60] == pytest.approx(1) and shade[30, 40] == pytest.approx(np.sin(np.pi / 4), abs=0.02)
    assert shade[30 + 7, 60] < -0.05 and shade[30 - 7, 60] == pytest.approx(shade[30 + 7, 60])
    assert abs(shade[30, 5]) < 1e-3 and abs(shade[2, 60]) < 0.02


def test_a_fold_takes_light_and_leaves_the_portrait_its_matte_and_the_rest():
    layers = np.full((64, 64, 4), 200, np.uint8)
    shade = np.full((4, 6, 3), 0.25, np.float32) * CHANNELS
    creases = (Crease("frown", (0,), Window(10, 20, 6, 4), shade),)
    moved = np.zeros((NUM_KEYPOINTS, 3))
    assert crease(layers, creases, moved) is layers
    moved[INNER_RIGHT, 1] = 0.032
    folded = crease(layers, creases, moved)
    assert folded[21, 12].tolist() == [180, 175, 175, 200]  # half as deep: 200 x (1 - 0.125 x (0.8, 1, 1))
    folded[20:24, 10:16] = 200
    assert (folded == 200).all() and (layers == 200).all()


def test_bare_skin_is_as_light_as_the_cheeks_and_smooth():
    image = np.full((SIZE, SIZE, 3), 180, np.uint8)
    image[:100] = 40                                                        # hair
    image[400:] = np.random.default_rng(3).integers(60, 256, (112, SIZE, 1))  # a beard's stubble
    pixels = np.full((468, 2), 250.0)
    skin = bare_skin(image, pixels)
    assert skin[250, 250] == pytest.approx(1) and skin[40].max() < 0.01 and skin[450:500, 100:400].mean() < 0.05


def test_the_skin_faces_the_viewer_whose_side_is_the_smaller_depth():
    square = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(facing(square, np.array([[0, 2, 1]])), 1)
    np.testing.assert_allclose(facing(square, np.array([[0, 1, 2]])), -1)
    steep = square @ np.array([[0.5, 0, np.sqrt(0.75)], [0, 1, 0], [0, 0, 1]])  # turned by 60 degrees
    np.testing.assert_allclose(facing(steep, np.array([[0, 2, 1]])), 0.5)


def test_every_fold_has_its_mirror_image_or_goes_through_the_middle():
    """A flat face of pairs left and right: 4 folds through the middle, 5 on both sides, alike."""
    half = np.random.default_rng(5).uniform((0.02, -0.4, 0), (0.45, 0.5, 0), (234, 3))
    face = np.empty((468, 3))
    face[::2], face[1::2] = half * [-1, 1, 1], half
    mirror = mirror_vertices(face)
    assert (mirror == np.arange(468).reshape(-1, 2)[:, ::-1].ravel()).all()
    triangles = np.arange(468).reshape(-1, 3)
    normals = np.cross(face[triangles[:, 1]] - face[triangles[:, 0]], face[triangles[:, 2]] - face[triangles[:, 0]])
    triangles = np.where(normals[:, 2:] < 0, triangles, triangles[:, ::-1])
    points = (face + np.array([0.5, 0.5, 0])) * SIZE
    picture, template = np.full((SIZE, SIZE, 3), 180, np.uint8), Template(face, triangles)
    creases = prepare_creases(picture, points, template)
    assert [one.sides for one in creases].count((0, 1)) == 4 and len(creases) == 14
    right, left = ([one for one in creases if one.sides == (side,)] for side in (0, 1))
    for one, other in zip(right, left, strict=True):
        assert one.window.x + one.window.width == pytest.approx(SIZE - other.window.x, abs=2)
        assert one.shade.max() == pytest.approx(other.shade.max(), abs=0.02)
    assert not prepare_creases(picture, points + np.array([5000, 0, 0]), template)


