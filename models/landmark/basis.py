"""The expression basis B: how unposed landmarks move with blendshape scores, whoever the person is.

Ridge regression of Y [T, D] on scores [T, 52], both centred by their mean over the person, so that the shapes
of people cannot enter B: B = (S'S + ridge I)^-1 S'Y with S, Y the centred sums over all persons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BasisSums:
    """Sums of centred products in float64, over any number of people; `+` merges them in any order."""

    scores_scores: np.ndarray  # [52, 52]
    scores_points: np.ndarray  # [52, D]
    frames: int

    @classmethod
    def of_person(cls, scores: np.ndarray, points: np.ndarray) -> BasisSums:
        """Sums of one person: scores [T, 52], unposed points [T, D] or [T, K, 3] of all their frames."""
        scores = np.asarray(scores, np.float64)
        points = np.asarray(points, np.float64).reshape(len(scores), -1)
        scores, points = scores - scores.mean(0), points - points.mean(0)
        return cls(scores.T @ scores, scores.T @ points, len(scores))

    def __add__(self, other: BasisSums) -> BasisSums:
        return BasisSums(self.scores_scores + other.scores_scores, self.scores_points + other.scores_points,
                         self.frames + other.frames)


def solve_basis(sums: BasisSums, ridge: float) -> np.ndarray:
    """B [52, D] float32; `ridge` > 0 counts like frames with a score of 1 (a score that never moves: B = 0)."""
    if ridge <= 0 or sums.frames == 0:
        raise ValueError(f"ridge must be positive and frames present, got {ridge}, {sums.frames} frames")
    system = sums.scores_scores + ridge * np.eye(len(sums.scores_scores))
    return np.linalg.solve(system, sums.scores_points).astype(np.float32)
