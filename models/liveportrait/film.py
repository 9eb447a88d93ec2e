"""Dubbing in LivePortrait's face space: every frame's own features warped to key points with another mouth, and of the
picture that comes out the lower face laid into the film.

Its 21 key points are learned and none has a name. `MOUTH` are the six that the released code moves for its animation
region "lip"; the other fifteen are the film's. They are no clean cut: a learned key point pulls on whatever training
taught it to, so the lower face of the new picture alone is taken, by a soft mask around those six points, and eyes and
brows stay the film's own pixels.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from models.face.driving_crop import Square, cut
from models.liveportrait.space import MOUTH, LivePortraitFaceSpace
from models.liveportrait.widths import NUM_KEYPOINTS, OUTPUT_PX
from models.motion.film_space import PixelSquare
from models.motion.motion import Motion

REACH = (0.42, 0.36)   # of the mask to the sides and up or down, in half crop widths: cheeks and chin, not the eyes
SOLID = 0.6            # of the mask's radius is wholly the new picture
_FLAT = 3 * NUM_KEYPOINTS


class LivePortraitFilm:
    """The FilmSpace protocol; rows are x_c, delta, angles, t and s in pixels, and the square that was looked at."""

    row_dim = 2 * _FLAT + 3 + 3 + 1 + 3
    max_yaw_deg, max_pitch_deg = 40.0, 30.0

    def __init__(self, space: LivePortraitFaceSpace):
        self.space = space
        self.mouth = np.zeros(NUM_KEYPOINTS, bool)
        self.mouth[list(MOUTH)] = True

    def begin(self) -> None:
        """Nothing is kept from frame to frame."""

    def look(self, crop: np.ndarray, square: PixelSquare) -> np.ndarray:
        """M's answer; it has one for any picture, so whether there is a face is the detector's word."""
        seen, half = self.space.extract(crop[None]), square.side / 2
        place = square.from_crop(np.zeros(3))
        return np.concatenate([seen.x_c.reshape(-1), seen.delta[0].reshape(-1), seen.angles_deg[0],
                               seen.t[0] * half + place, seen.s[0] * half, (square.left, square.top, square.side)])

    def canonical(self, parts: Iterable[np.ndarray]) -> np.ndarray:
        """The mean of M's canonical key points."""
        total, count = np.zeros(_FLAT), 0
        for rows in parts:
            total, count = total + rows[:, :_FLAT].sum(0), count + len(rows)
        return (total / count).reshape(-1, 3)

    def motion(self, rows: np.ndarray, x_c: np.ndarray, square: PixelSquare) -> Motion:
        """M's motion, pose in half widths of the square."""
        half, place = square.side / 2, square.from_crop(np.zeros(3))
        delta, angles, t, s, _ = np.split(rows[:, _FLAT:], np.cumsum([_FLAT, 3, 3, 1]), axis=1)
        return Motion(x_c.astype(np.float32), delta.reshape(-1, NUM_KEYPOINTS, 3).astype(np.float32),
                      angles.astype(np.float32), ((t - place) / half * [1, 1, 0]).astype(np.float32),
                      (s / half).astype(np.float32))

    def opening(self, rows: np.ndarray) -> np.ndarray:
        """Not known: the networks draw teeth by themselves."""
        return np.zeros(len(rows))

    def inside(self, picture: np.ndarray, row: np.ndarray, x_c: np.ndarray) -> None:
        """Nothing: see `opening`."""

    def redraw(self, picture: np.ndarray, row: np.ndarray, x_c: np.ndarray, delta: np.ndarray, inside: None,
               share: float) -> None:
        """F, W and G on the frame's own crop, its lower face laid into the film."""
        square = PixelSquare(*(int(value) for value in row[-3:]))
        crop = cut(picture, Square(square.left + square.side / 2, square.top + square.side / 2, square.side), OUTPUT_PX)
        own = self.motion(row[None], x_c, square)
        wanted = np.where(self.mouth[:, None], own.delta[0] + share * (delta - own.delta[0]), own.delta[0])
        source = self.space.keypoints(own)[0]
        driving = self.space.keypoints(Motion(own.x_c, wanted[None].astype(np.float32), own.angles_deg, own.t, own.s))
        made = self.space.render(self.space.appearance(crop), source, driving)[0]
        _lay(picture, made, lower_face(source[self.mouth, :2].mean(0)) * share, square)


def lower_face(middle: np.ndarray) -> np.ndarray:
    """Opacity [512, 512] float32 around the mouth's `middle` [2] in crop coordinates: one inside, along a raised cosine
    to zero at `REACH`."""
    line = (np.arange(OUTPUT_PX) + 0.5) * (2 / OUTPUT_PX) - 1
    radius = np.hypot((line[None] - middle[0]) / REACH[0], (line[:, None] - middle[1]) / REACH[1])
    fall = np.clip((radius - SOLID) / (1 - SOLID), 0, 1)
    return (0.5 + 0.5 * np.cos(np.pi * fall)).astype(np.float32)


def _lay(picture: np.ndarray, made: np.ndarray, opacity: np.ndarray, square: PixelSquare) -> None:
    """Blend a crop [512, 512, 3] into its square of the picture, in place; where opacity is zero nothing changes."""
    height, width = picture.shape[:2]
    top, left = max(square.top, 0), max(square.left, 0)
    bottom, right = min(square.top + square.side, height), min(square.left + square.side, width)
    if top >= bottom or left >= right:
        return
    part = (slice(top - square.top, bottom - square.top), slice(left - square.left, right - square.left))
    method = cv2.INTER_AREA if square.side < OUTPUT_PX else cv2.INTER_CUBIC
    new = cv2.resize(made, (square.side, square.side), interpolation=method)[part].astype(np.float32)
    weight = np.clip(cv2.resize(opacity, (square.side, square.side), interpolation=cv2.INTER_LINEAR)[part], 0, 1)
    below = picture[top:bottom, left:right].astype(np.float32)
    picture[top:bottom, left:right] = np.clip(below + weight[..., None] * (new - below) + 0.5, 0, 255).astype(np.uint8)
