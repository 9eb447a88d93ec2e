"""Faces laid onto ArcFace's template, as networks that know people again want them."""

from __future__ import annotations

import numpy as np

# ArcFace's template in a 112 px picture: image-left eye, image-right eye, nose tip, mouth corners (insightface)
TEMPLATE_PX = np.array([(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655),
                        (70.7299, 92.2041)])
ALIGNED_PX = 112


def similarity_2d(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least squares similarity (turn, scale, shift; no mirror) of [N, 2] onto [N, 2] -> matrix [2, 3]."""
    mean_s, mean_t = source.mean(0), target.mean(0)
    a, b = source - mean_s, target - mean_t
    power = np.square(a).sum()
    cos = (a * b).sum() / power
    sin = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / power
    turn = np.array([[cos, -sin], [sin, cos]])
    return np.hstack([turn, (mean_t - turn @ mean_s)[:, None]])
