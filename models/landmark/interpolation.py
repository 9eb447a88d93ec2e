"""From K key point displacements to every mesh vertex: a polyharmonic spline with an affine part, kernel r.

The affine part is in the portrait's own coordinates, so that any change of head pose is carried over exactly.
Distances are measured on the canonical face with its lips drawn apart, or else the lower lip would pull the
upper one along where they touch.
"""

from __future__ import annotations

import numpy as np

from models.landmark.points import (
    IRISES,
    KEYPOINTS,
    LIPS_INNER_CONTOUR_LOWER,
    LIPS_INNER_CONTOUR_UPPER,
    positions,
)

LIP_PARTING = 0.25  # in face widths


def interpolation_matrix(
    template_vertices: np.ndarray, keypoints: np.ndarray, vertices: np.ndarray
) -> np.ndarray:
    """L [468, K] with displacement of vertices [468, 3] = L @ displacement of the key points [K, 3].

    `template_vertices` [468, 3] is the canonical face, `keypoints` [K, 3] and `vertices` [468, 3] are the
    portrait's. Irises do not move the skin (their columns are zero).
    """
    skin = positions(tuple(index for index in KEYPOINTS if index not in IRISES))
    nodes = np.array(KEYPOINTS)[skin]
    parted = _with_parted_lips(template_vertices)
    affine = _with_ones(vertices)  # [468, 4]
    kernel = np.linalg.norm(parted[:, None] - parted[None, nodes], axis=-1)  # [468, nodes]
    count = len(nodes)
    system = np.zeros((count + 4, count + 4))
    system[:count, :count], system[:count, count:] = kernel[nodes], _with_ones(keypoints[skin])
    system[count:, :count] = system[:count, count:].T
    matrix = np.zeros((len(vertices), len(KEYPOINTS)))
    matrix[:, skin] = np.linalg.solve(system, np.concatenate([kernel, affine], -1).T)[:count].T
    return matrix


def _with_ones(points: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones((len(points), 1)), points], -1)


def _with_parted_lips(vertices: np.ndarray) -> np.ndarray:
    """The canonical face with everything below the mouth line moved down, most in the middle."""
    upper, lower = list(LIPS_INNER_CONTOUR_UPPER), list(LIPS_INNER_CONTOUR_LOWER)
    left, right = vertices[upper[0]], vertices[upper[-1]]
    centre, half_width = (left + right) / 2, np.linalg.norm(right - left) / 2
    line_y = (vertices[upper[5], 1] + vertices[lower[5], 1]) / 2
    below = vertices[:, 1] > line_y
    below[upper], below[lower[1:-1]] = False, True
    share = np.clip(1 - ((vertices[:, 0] - centre[0]) / (1.3 * half_width)) ** 2, 0, None)
    share[[upper[0], upper[-1]]] = 0
    parted = vertices.copy()
    parted[:, 1] += LIP_PARTING * share * below
    return parted
