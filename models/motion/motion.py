"""`Motion`: what a face space extracts from frames, and the motion vector m that the diffusion model sees.

m = [delta (3K), rho (7)] per frame, rho = [scale, t_x, t_y, t_z, pitch, yaw, roll] (angles in degrees).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.motion.camera import rotation_from_angles

RHO_NAMES = ("scale", "t_x", "t_y", "t_z", "pitch_deg", "yaw_deg", "roll_deg")
RHO_DIM = len(RHO_NAMES)


@dataclass(frozen=True)
class Motion:
    """Motion of one clip of one face (paper 3.1); T frames, K key points, float32.

    `x_c` [K, 3] canonical key points, `delta` [T, K, 3] expression deformation, `angles_deg` [T, 3]
    (pitch, yaw, roll), `t` [T, 3] translation, `s` [T, 1] scale; lengths in half crop widths. The frame of
    delta is that of the face space, whose `keypoints` evaluates eq. 1.
    """

    x_c: np.ndarray
    delta: np.ndarray
    angles_deg: np.ndarray
    t: np.ndarray
    s: np.ndarray

    def __len__(self) -> int:
        return len(self.delta)

    @property
    def rotation(self) -> np.ndarray:
        """R [T, 3, 3], for row vectors."""
        return rotation_from_angles(self.angles_deg)

    @property
    def rho(self) -> np.ndarray:
        """Head pose [T, 7] in the order of `RHO_NAMES`."""
        return np.concatenate([self.s, self.t, self.angles_deg], axis=-1)

    def vector(self) -> np.ndarray:
        """m [T, 3K + 7]."""
        return np.concatenate([self.delta.reshape(len(self), -1), self.rho], axis=-1)

    @classmethod
    def from_vector(cls, x_c: np.ndarray, vector: np.ndarray) -> Motion:
        """Invert `vector`: x_c [K, 3], m [T, 3K + 7]."""
        size = x_c.size
        if vector.shape[-1] != size + RHO_DIM:
            raise ValueError(f"motion vector has {vector.shape[-1]} dimensions, x_c needs {size + RHO_DIM}")
        delta, rho = vector[:, :size], vector[:, size:]
        return cls(x_c=x_c, delta=delta.reshape(len(vector), -1, 3), s=rho[:, :1], t=rho[:, 1:4],
                   angles_deg=rho[:, 4:])
