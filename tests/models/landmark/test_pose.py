"""Similarity fit, unposing and the head-frame form of eq. 1."""

from __future__ import annotations

import numpy as np
import pytest

from models.landmark.pose import fit_head, fit_similarity, unpose
from models.landmark.template import RIGID_POINTS, Template
from models.motion.camera import rotation_from_angles, transform_head_keypoints, transform_keypoints

RANDOM = np.random.default_rng(3)
POINTS = RANDOM.normal(size=(478, 3))


def test_fit_similarity_recovers_what_was_applied():
    angles = RANDOM.uniform(-60, 60, (7, 3))
    scale, translation = RANDOM.uniform(0.3, 2, (7, 1)), RANDOM.normal(size=(7, 3))
    moved = scale[..., None] * (POINTS @ rotation_from_angles(angles)) + translation[:, None]
    found_scale, found_rotation, found_translation = fit_similarity(POINTS, moved)
    np.testing.assert_allclose(found_scale, scale, atol=1e-12)
    np.testing.assert_allclose(found_rotation, rotation_from_angles(angles), atol=1e-12)
    np.testing.assert_allclose(found_translation, translation, atol=1e-12)
    np.testing.assert_allclose(unpose(moved, scale, found_rotation, translation), np.broadcast_to(POINTS, moved.shape),
                               atol=1e-12)


def test_a_mirrored_face_gets_a_proper_rotation():
    _, rotation, _ = fit_similarity(POINTS, POINTS * [-1, 1, 1])
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_scale_by_hand():
    square = np.array([[0.0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0]])
    scale, rotation, translation = fit_similarity(square, square * 0.5 + [1, 0, 0])
    assert scale[0] == pytest.approx(0.5)
    np.testing.assert_allclose(rotation, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(translation, [1, 0, 0], atol=1e-12)


def test_fit_head_gives_the_same_expression_in_every_pose():
    template = Template(POINTS[:468], np.zeros((1, 3), int))
    face = POINTS.copy()
    moving = np.setdiff1d(np.arange(478), RIGID_POINTS)
    face[moving] += 0.1 * RANDOM.normal(size=(len(moving), 3))  # an expression leaves the rigid points alone
    angles = np.array([[0.0, 0, 0], [10, -35, 5], [-20, 30, -15]])
    posed = 0.7 * (face @ rotation_from_angles(angles)) + np.array([0.1, -0.2, 0.4])
    scale, rotation, translation, unposed = fit_head(template, posed)
    np.testing.assert_allclose(unposed, np.broadcast_to(face, posed.shape), atol=1e-12)
    np.testing.assert_allclose(translation, np.broadcast_to([0.1, -0.2, 0], (3, 3)), atol=1e-12)
    rebuilt = scale[..., None] * (unposed @ rotation) + translation[:, None]
    np.testing.assert_allclose(posed - rebuilt, np.broadcast_to([0, 0, 0.4], posed.shape), atol=1e-12)


def test_head_frame_eq_1_turns_delta_with_the_head():
    rotation = rotation_from_angles(np.array([[0.0, 90, 0]]))
    x_c, delta = np.zeros((1, 1, 3)), np.array([[[1.0, 0, 0]]])
    t, s = np.array([[0.5, 0, 0]]), np.array([[2.0]])
    np.testing.assert_allclose(transform_head_keypoints(x_c, delta, rotation, t, s), [[[0.5, 0, -2]]], atol=1e-12)
    np.testing.assert_allclose(transform_keypoints(x_c, delta @ rotation, rotation, t, s), [[[0.5, 0, -2]]],
                               atol=1e-12)
