"""Normalisation of motion (paper 3.2, eq. 5 and 6), exactly invertible in float64.

Expression delta is normalised by one mean and deviation for each dimension over all training frames (eq. 5),
pose rho by those of its own clip (eq. 6; the paper leaves the 1/N of the clip's mean out). Deviations are those
of the population (1/N). Dimensions that never move are masked: they normalise to 0 and come back as their mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.motion.motion import RHO_DIM


@dataclass(frozen=True)
class Normalizer:
    """(x - mean) / std per dimension; `alive` [D] bool says which dimensions move at all."""

    mean: np.ndarray  # [D] float64
    std: np.ndarray  # [D] float64; of no meaning where not alive
    alive: np.ndarray  # [D] bool

    @classmethod
    def of(cls, mean: np.ndarray, std: np.ndarray, min_std: float) -> Normalizer:
        """Mask dimensions whose deviation is below `min_std` (or is not a number)."""
        mean, std = np.asarray(mean, np.float64), np.asarray(std, np.float64)
        return cls(mean, std, std >= min_std)

    def normalize(self, values: np.ndarray) -> np.ndarray:
        """[..., D] -> float64 [..., D]."""
        return np.where(self.alive, (values - self.mean) / self._divisor, 0.0)

    def denormalize(self, values: np.ndarray) -> np.ndarray:
        """Invert `normalize`: [..., D] -> float64 [..., D]."""
        return np.where(self.alive, values * self._divisor, 0.0) + self.mean

    @property
    def _divisor(self) -> np.ndarray:
        return np.where(self.alive, self.std, 1.0)


@dataclass(frozen=True)
class MotionStatistics:
    """What a model was trained with; travels in its bundle (`tensors`, `from_tensors`)."""

    expression: Normalizer  # [3K], eq. 5
    pose_mean: np.ndarray  # [7] mean over training clips of the clips' means
    pose_std: np.ndarray  # [7] mean over training clips of the clips' deviations
    pose_center: np.ndarray  # [7] mean over all training frames, for pose_group `global`
    pose_spread: np.ndarray  # [7] deviation over all training frames
    pose_group: str  # clip | identity | global
    min_std: float

    def pose_of(self, mean: np.ndarray, std: np.ndarray) -> Normalizer:
        """Eq. 6 of one group: mean and std [7] of the clip (or of all its person's clips); unused if `global`."""
        if self.pose_group == "global":
            return Normalizer.of(self.pose_center, self.pose_spread, self.min_std)
        return Normalizer.of(mean, std, self.min_std)

    def pose_of_portrait(self, pose: np.ndarray) -> Normalizer:
        """Of a portrait that has no clip: mean is its own pose [7], deviation the average of training clips."""
        return self.pose_of(pose, self.pose_std)

    @property
    def alive(self) -> np.ndarray:
        """[3K + 7] bool: the dimensions of m that move in the training clips."""
        return np.concatenate([self.expression.alive, self.pose_std >= self.min_std])

    def split(self, motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """m [..., 3K + 7] -> delta [..., 3K], rho [..., 7]."""
        return motion[..., :-RHO_DIM], motion[..., -RHO_DIM:]

    def normalize(self, motion: np.ndarray, pose: Normalizer) -> np.ndarray:
        """m [..., 3K + 7] in its own units -> normalised, float64."""
        delta, rho = self.split(motion)
        return np.concatenate([self.expression.normalize(delta), pose.normalize(rho)], axis=-1)

    def denormalize(self, motion: np.ndarray, pose: Normalizer) -> np.ndarray:
        """Invert `normalize`."""
        delta, rho = self.split(motion)
        return np.concatenate([self.expression.denormalize(delta), pose.denormalize(rho)], axis=-1)

    def tensors(self) -> dict[str, np.ndarray]:
        """Everything as named arrays (text as bytes), for safetensors."""
        return {"expression_mean": self.expression.mean, "expression_std": self.expression.std,
                "expression_alive": self.expression.alive.astype(np.uint8), "pose_mean": self.pose_mean,
                "pose_std": self.pose_std, "pose_center": self.pose_center, "pose_spread": self.pose_spread,
                "pose_group": np.frombuffer(self.pose_group.encode(), np.uint8), "min_std": np.array([self.min_std])}

    @classmethod
    def from_tensors(cls, tensors: dict[str, np.ndarray]) -> MotionStatistics:
        """Invert `tensors`; raises KeyError where one is missing."""
        expression = Normalizer(tensors["expression_mean"], tensors["expression_std"],
                                tensors["expression_alive"].astype(bool))
        return cls(expression, tensors["pose_mean"], tensors["pose_std"], tensors["pose_center"],
                   tensors["pose_spread"], bytes(tensors["pose_group"]).decode(), float(tensors["min_std"][0]))
