"""Curves of a face over time, from MediaPipe's 478 points or from the landmark face space's own key points.

All lengths are shares of the distance of the outer eye corners, measured in three dimensions, so that neither the
size of the picture nor a turned head changes them much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.face.points import (
    BROW_LEFT,
    BROW_RIGHT,
    EYELID_LOWER_LEFT,
    EYELID_LOWER_RIGHT,
    EYELID_UPPER_LEFT,
    EYELID_UPPER_RIGHT,
    KEYPOINTS,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    LIPS_OUTER_LOWER,
    LIPS_OUTER_UPPER,
    NUM_KEYPOINTS,
    positions,
)

_EYE_OUTER = (33, 263)
_INNER_LIPS = ((82, 87), (13, 14), (312, 317))  # upper, lower: right of the middle, middle, left
_MOUTH_CORNERS = (61, 291)
_NOSE_BASE, _FOREHEAD = 2, 10
LIPS = (*LIPS_OUTER_UPPER, *LIPS_OUTER_LOWER, *LIPS_INNER_UPPER, *LIPS_INNER_LOWER)


@dataclass(frozen=True)
class FaceCurves:
    """T frames; NaN where no face was found."""

    mouth: np.ndarray  # [T] inner lip gap, mean of three places
    eyes: np.ndarray  # [T] lid gap, mean over both eyes
    brows: np.ndarray  # [T] height above the eye corners
    corners: np.ndarray  # [T] height of the mouth corners, counted from the nose base; up is positive

    def __len__(self) -> int:
        return len(self.mouth)

    @property
    def found_share(self) -> float:
        """Share of frames with a face."""
        return float(np.isfinite(self.mouth).mean())


def face_curves(points: np.ndarray) -> FaceCurves:
    """Curves of points [T, 478, 3] or key points [T, 70, 3], posed or not."""
    face = _Face(np.asarray(points, np.float64))
    gaps = [face.distance(*pair) for pair in _INNER_LIPS]
    lids = [face.distance(*pair) for pair in (*zip(EYELID_UPPER_RIGHT, EYELID_LOWER_RIGHT, strict=True),
                                              *zip(EYELID_UPPER_LEFT, EYELID_LOWER_LEFT, strict=True))]
    return FaceCurves(mouth=np.mean(gaps, 0), eyes=np.mean(lids, 0),
                      brows=face.height(BROW_RIGHT + BROW_LEFT, _EYE_OUTER),
                      corners=face.height(_MOUTH_CORNERS, (_NOSE_BASE,)))


def lip_points(keypoints: np.ndarray) -> np.ndarray:
    """The lips [T, L, 3] of key points [T, 70, 3] of the landmark face space."""
    return keypoints[:, positions(LIPS)]


class _Face:
    """Distances and heights in units of the eye distance."""

    def __init__(self, points: np.ndarray):
        if points.ndim != 3 or points.shape[1] not in (478, NUM_KEYPOINTS):
            raise ValueError(f"points must be [T, 478, 3] or [T, {NUM_KEYPOINTS}, 3], got {points.shape}")
        self.points = points
        across = self.at(_EYE_OUTER[1]) - self.at(_EYE_OUTER[0])
        self.unit = np.linalg.norm(across, axis=-1)
        across = across / self.unit[:, None]
        up = self.at(_FOREHEAD) - self.at(_NOSE_BASE)
        up = up - (up * across).sum(-1, keepdims=True) * across
        self.up = up / np.linalg.norm(up, axis=-1, keepdims=True)

    def at(self, index: int) -> np.ndarray:
        """[T, 3] of one of the 478."""
        return self.points[:, index if self.points.shape[1] == 478 else KEYPOINTS.index(index)]

    def distance(self, first: int, second: int) -> np.ndarray:
        return np.linalg.norm(self.at(first) - self.at(second), axis=-1) / self.unit

    def height(self, indices: tuple[int, ...], above: tuple[int, ...]) -> np.ndarray:
        gap = np.mean([self.at(i) for i in indices], 0) - np.mean([self.at(i) for i in above], 0)
        return (gap * self.up).sum(-1) / self.unit
