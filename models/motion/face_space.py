"""The seam between a face space and everything that uses one (paper 3.1): `landmark`, `liveportrait`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from models.motion.motion import Motion


class FaceNotFound(ValueError):
    """No face could be followed; `frame` is the first frame without one."""

    def __init__(self, frame: int, detail: str = "no face found"):
        super().__init__(f"{detail} (frame {frame})")
        self.frame = frame


@dataclass(frozen=True)
class Appearance:
    """A portrait as a face space sees it: its own motion (T = 1) and whatever the space renders from."""

    motion: Motion
    content: Any


class FaceSpace(Protocol):
    """Frames and images are RGB uint8 square crops; key points are in crop coordinates [-1, 1]."""

    name: str
    num_keypoints: int
    knows_eyes: bool  # which key points are lids and irises: then blinks and gaze can be directed

    def keypoints(self, motion: Motion, x_c: np.ndarray | None = None) -> np.ndarray:
        """Eq. 1 in the form of this space -> x [T, K, 3]; another person's `x_c` [K, 3] drives that person.

        LivePortrait adds delta after the rotation (camera frame), the landmark space before it (head frame),
        so a Motion becomes key points only through the space that extracted it.
        """

    def extract(self, frames: np.ndarray) -> Motion:
        """frames [T, H, W, 3] of one face at 25 fps -> Motion; raises FaceNotFound."""

    def appearance(self, image: np.ndarray) -> Appearance:
        """image [H, W, 3], one square source crop; raises FaceNotFound."""

    def retarget(self, motion: Motion, portrait: Motion, rest: np.ndarray) -> Motion:
        """Fit a generated motion to the looks of a portrait, whose own motion (T = 1) is given.

        `rest` [K, 3] is the mean delta that the model knows. A space without need for it returns the motion.
        """

    def shut_eyes(self, points: np.ndarray, closed: np.ndarray) -> np.ndarray:
        """What shuts the eyes of x_c + delta [T, K, 3] by closed [T] (1: shut), to be added to delta [T, K, 3]."""

    def hold_gaze(self, x_c: np.ndarray, delta: np.ndarray, angles_deg: np.ndarray, own_delta: np.ndarray,
                  own_angles_deg: np.ndarray, share: np.ndarray) -> np.ndarray:
        """delta [T, K, 3] of a head turned by angles_deg [T, 3] with eyes that look, by `share` [T], where those of the
        portrait (its delta [K, 3], its pose [3]) do. Where the space knows eyes."""

    def hold_lids(self, x_c: np.ndarray, delta: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """delta [T, K, 3] with lids that stay open by half and more of what they are with the mean delta `rest` [K, 3]:
        nothing of the model's own shuts them. Where the space knows eyes."""

    def lid_opening(self, points: np.ndarray) -> np.ndarray:
        """How far the lids of x_c + delta [T, K, 3] are open [T], in any unit. Where the space knows eyes."""

    def scale_mouth(self, delta: np.ndarray, rest: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """delta [T, K, 3] with the mouth's displacement from rest times `scale` [T], bit for bit where that is 1.

        `rest` [K, 3] is the mean delta that the model knows. A mouth that is shut stays shut where a space can tell.
        """

    def shut_mouth(self, points: np.ndarray, closed: np.ndarray) -> np.ndarray:
        """The same for the lips."""

    def render(self, appearance: Appearance, x_source: np.ndarray, x_driving: np.ndarray) -> np.ndarray:
        """x_source [K, 3] (eq. 1 of the portrait), x_driving [T, K, 3] -> frames [T, 512, 512, 3] uint8."""
