"""From K key point displacements to every mesh vertex: a polyharmonic spline with an affine part, kernel r.

The affine part is in the portrait's own coordinates, so that any change of head pose is carried over exactly.
Distances are measured on the canonical face with its lips drawn apart, or else the lower lip would pull the
upper one along where they touch. The edges of lips and lids follow a cubic spline through the key points on them.
"""

from __future__ import annotations

import numpy as np

from models.face.points import (
    EYE_CONTOUR_LOWER_LEFT,
    EYE_CONTOUR_LOWER_RIGHT,
    EYE_CONTOUR_UPPER_LEFT,
    EYE_CONTOUR_UPPER_RIGHT,
    IRISES,
    KEYPOINTS,
    LIPS_INNER_CONTOUR_LOWER,
    LIPS_INNER_CONTOUR_UPPER,
    positions,
)

_SKIN = positions(tuple(index for index in KEYPOINTS if index not in IRISES))
LIP_PARTING = 0.25  # in face widths
_EDGES = (LIPS_INNER_CONTOUR_UPPER, LIPS_INNER_CONTOUR_LOWER, EYE_CONTOUR_UPPER_RIGHT, EYE_CONTOUR_LOWER_RIGHT,
          EYE_CONTOUR_UPPER_LEFT, EYE_CONTOUR_LOWER_LEFT)


def interpolation_matrix(
    template_vertices: np.ndarray, keypoints: np.ndarray, vertices: np.ndarray
) -> np.ndarray:
    """L [468, K] with displacement of vertices [468, 3] = L @ displacement of the key points [K, 3].

    `template_vertices` [468, 3] is the canonical face, `keypoints` [K, 3] and `vertices` [468, 3] are the
    portrait's. Irises do not move the skin (their columns are zero).
    """
    nodes = np.array(KEYPOINTS)[_SKIN]
    parted = _with_parted_lips(template_vertices)
    affine = _with_ones(vertices)  # [468, 4]
    kernel = np.linalg.norm(parted[:, None] - parted[None, nodes], axis=-1)  # [468, nodes]
    count = len(nodes)
    system = np.zeros((count + 4, count + 4))
    system[:count, :count], system[:count, count:] = kernel[nodes], _with_ones(keypoints[_SKIN])
    system[count:, :count] = system[:count, count:].T
    matrix = np.zeros((len(vertices), len(KEYPOINTS)))
    matrix[:, _SKIN] = np.linalg.solve(system, np.concatenate([kernel, affine], -1).T)[:count].T
    for edge in _EDGES:
        matrix[list(edge)] = _along_edge(edge, template_vertices, keypoints, vertices)
    return matrix


def _along_edge(
    edge: tuple[int, ...], template_vertices: np.ndarray, keypoints: np.ndarray, vertices: np.ndarray
) -> np.ndarray:
    """Rows of L [len(edge), K] for an edge that starts and ends at a key point."""
    steps = np.linalg.norm(np.diff(template_vertices[list(edge)], axis=0), axis=-1)
    at = np.concatenate([[0], np.cumsum(steps)])
    held = [place for place, index in enumerate(edge) if index in KEYPOINTS]
    rows = np.zeros((len(edge), len(KEYPOINTS)))
    rows[:, positions(tuple(edge[place] for place in held))] = natural_spline(at[held], at)
    return rows + (vertices[list(edge)] - rows @ keypoints) @ _gradient(keypoints)  # exact for affine motion


def natural_spline(knots: np.ndarray, at: np.ndarray) -> np.ndarray:
    """[N, K]: values at `at` [N] of the natural cubic spline through K knots [K], linear in the values at the knots.

    (scipy.interpolate has it; its import alone takes a fifth of the time to the first frame.)
    """
    width, unit, last = np.diff(knots), np.eye(len(knots)), len(knots) - 1
    system, slope = np.eye(len(knots)), np.diff(unit, axis=0) / width[:, None]
    for i in range(1, last):   # the second derivatives m: continuous first ones inside, m = 0 at both ends
        system[i, i - 1:i + 2] = width[i - 1] / 6, (width[i - 1] + width[i]) / 3, width[i] / 6
    m = np.linalg.solve(system, np.pad(np.diff(slope, axis=0), ((1, 1), (0, 0))))
    left = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, last - 1)
    h, a, b = width[left, None], (knots[left + 1] - at)[:, None], (at - knots[left])[:, None]
    return (m[left] * a ** 3 + m[left + 1] * b ** 3) / (6 * h) + a * (unit[left] / h - m[left] * h / 6) \
        + b * (unit[left + 1] / h - m[left + 1] * h / 6)


def _gradient(keypoints: np.ndarray) -> np.ndarray:
    """G [3, K]: least squares gradient of values at the key points [K, 3], irises left out."""
    gradient = np.zeros((3, len(keypoints)))
    gradient[:, _SKIN] = np.linalg.pinv(_with_ones(keypoints[_SKIN]))[1:]
    return gradient


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
    share = np.clip(1 - ((vertices[:, 0] - centre[0]) / half_width) ** 2, 0, None)
    share[[upper[0], upper[-1]]] = 0
    parted = vertices.copy()
    parted[:, 1] += LIP_PARTING * share * below
    return parted
