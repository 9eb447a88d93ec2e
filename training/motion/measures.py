"""Measures of sampled against true motion windows that need no network and no picture: mouth, lids, head.

Everything is read from the motion vector: the vertical gap of pairs of key points of x_c + delta. B windows of W
frames; `frames` [B, W] is True where a frame exists.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from models.face.points import (
    EYELID_LOWER_LEFT,
    EYELID_LOWER_RIGHT,
    EYELID_UPPER_LEFT,
    EYELID_UPPER_RIGHT,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    NUM_KEYPOINTS,
    positions,
)
from models.motion.motion import RHO_DIM
from models.motion.normalization import MotionStatistics

MAX_LAG = 5
CLOSED = 0.5  # of the true open level: below it an eye counts as closed
ANGLES = slice(-3, None)  # pitch, yaw, roll of m
# number of key points -> pairs (upper, lower); LivePortrait's 21 have no published names: 17 and 19 move with the
# lips, 11 and 13 with the lids, in its own retargeting
LIPS = {NUM_KEYPOINTS: tuple(zip(positions(LIPS_INNER_UPPER[1:-1]), positions(LIPS_INNER_LOWER), strict=True)),
        21: ((17, 19),)}
LIDS = {NUM_KEYPOINTS: tuple(zip(positions(EYELID_UPPER_RIGHT + EYELID_UPPER_LEFT),
                                 positions(EYELID_LOWER_RIGHT + EYELID_LOWER_LEFT), strict=True)), 21: ((11, 13),)}


def motion_measures(made: np.ndarray, true: np.ndarray, frames: np.ndarray, x_c: np.ndarray,
                    statistics: MotionStatistics) -> dict[str, float]:
    """made, true [B, W, D] normalised, frames [B, W], x_c [B, 3K] -> numbers by name.

    `mouth_r`: correlation of the mouth openings at lag 0; `sync_c`: its peak less its median over lags of +-5 frames,
    `sync_lag_frames` where the peak is (> 0: the sampled mouth is late); `eyes_closed` and `head_spread` of both.
    """
    found = {"head_spread": _spread(made, frames), "head_spread_true": _spread(true, frames)}
    points = x_c.shape[1] // 3
    if points not in LIPS:
        return found
    keypoints = [x_c[:, None].reshape(len(x_c), 1, points, 3) + statistics.expression.denormalize(
        motion[..., :-RHO_DIM]).reshape(*motion.shape[:2], points, 3) for motion in (made, true)]
    mouths = [opening(x, LIPS[points]) for x in keypoints]
    curve = {lag: _pooled_r(mouths[1], mouths[0], frames, lag) for lag in range(-MAX_LAG, MAX_LAG + 1)}
    best = max(curve, key=lambda lag: (curve[lag], -abs(lag)))
    eyes = [opening(x, LIDS[points]) for x in keypoints]
    level = CLOSED * np.quantile(eyes[1][frames], 0.9)
    return found | {"mouth_r": curve[0], "sync_c": curve[best] - float(np.median(list(curve.values()))),
                    "sync_lag_frames": best, "eyes_closed": float((eyes[0][frames] < level).mean()),
                    "eyes_closed_true": float((eyes[1][frames] < level).mean())}


def opening(keypoints: np.ndarray, pairs: Iterable[tuple[int, int]]) -> np.ndarray:
    """Mean vertical gap of pairs (upper, lower) of key points [..., K, 3] -> [...]; y points down."""
    upper, lower = np.array(list(pairs)).T
    return (keypoints[..., lower, 1] - keypoints[..., upper, 1]).mean(axis=-1)


def nearest_centre(motion: np.ndarray, frames: np.ndarray, centres: dict[int, np.ndarray]) -> list[int]:
    """For each window the label whose mean expression [3K] is nearest to its own mean; motion [B, W, D] normalised."""
    labels = sorted(centres)
    means = np.stack([window[there, :-RHO_DIM].mean(axis=0) for window, there in zip(motion, frames, strict=True)])
    gaps = np.linalg.norm(means[:, None] - np.stack([centres[label] for label in labels])[None], axis=-1)
    return [labels[index] for index in gaps.argmin(axis=1)]


def _spread(motion: np.ndarray, frames: np.ndarray) -> float:
    """Mean over windows and angles of the standard deviation in time, in the clip's own."""
    return float(np.mean([window[there, ANGLES].std(axis=0) for window, there in zip(motion, frames, strict=True)]))


def _pooled_r(true: np.ndarray, made: np.ndarray, frames: np.ndarray, lag: int) -> float:
    """Pearson r over all windows, each window's mean taken out; `made` is read `lag` frames later."""
    products = np.zeros(3)
    for one, other, there in zip(true, made, frames, strict=True):
        a, b = one[there], other[there]
        a, b = a[max(-lag, 0):len(a) - max(lag, 0)], b[max(lag, 0):len(b) - max(-lag, 0)]
        if len(a) > 2:
            a, b = a - a.mean(), b - b.mean()
            products += (a @ b, a @ a, b @ b)
    power = np.sqrt(products[1] * products[2])
    return float(products[0] / power) if power > 1e-12 else 0.0
