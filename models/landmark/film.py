"""Dubbing in the landmark face space: the film's own lower face warped to a new mouth, in the film's own pixels.

Delta of this space is in key points, so no dimension mixes mouth and eyes: `MOUTH` lists the points that follow the
speech, and the displacement of all others is zero exactly. It spreads over the face's mesh as in `render` and fades out
towards the eyes and within a ring around the face; beyond that no pixel is touched, so there is no border to blend.
Skin, light and grain are the frame's own. An opened mouth shows teeth of the film, where it shows any in its shot:
one inside for a whole shot, because the frame's own comes and goes with the words that are no longer said.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from models.face.landmarker import NUM_BLENDSHAPES, NUM_POINTS, FaceTracker
from models.face.points import (
    FACE_OVAL,
    KEYPOINTS,
    LIPS_INNER_CONTOUR_LOWER,
    LIPS_INNER_CONTOUR_UPPER,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    LIPS_OUTER_LOWER,
    LIPS_OUTER_UPPER,
    MOUTH,
    NUM_KEYPOINTS,
    positions,
)
from models.landmark.interpolation import interpolation_matrix
from models.landmark.mouth import Mouth, mouth_plane, paint_mouth, prepare_mouth
from models.landmark.raster import backward_affines, draw_triangle_ids, slivers_first
from models.landmark.retarget import lip_closing
from models.landmark.shutting import uncross
from models.landmark.space import LandmarkFaceSpace, close_lips
from models.motion.camera import angles_from_rotation
from models.motion.clock import FPS
from models.motion.film_space import PixelSquare
from models.motion.motion import Motion

RING = 1.3            # how far around the face's oval the skin follows the jaw, in its own radius
STILL_PX = 1e-3       # triangles that move less are left alone
_CHIN, _LIP_MIDDLES = positions((152,))[0], positions((13, 14))
_LIPS = ((LIPS_INNER_CONTOUR_UPPER, LIPS_INNER_CONTOUR_LOWER),)
_EYE_LINE, _NOSE_BASE = (145, 374), 2    # lower lids, where nothing moves any more, and where all does


class LandmarkFilm:
    """The FilmSpace protocol; rows are 478 points (x, y, z in pixels) and 52 blendshape scores."""

    row_dim = NUM_POINTS * 3 + NUM_BLENDSHAPES
    max_yaw_deg, max_pitch_deg = 35.0, 30.0

    def __init__(self, space: LandmarkFaceSpace):
        self.space = space
        self.mouth = np.zeros(NUM_KEYPOINTS, bool)
        self.mouth[positions(MOUTH)] = True
        self._tracker: FaceTracker | None = None
        self._freedom = _freedom(space.template.vertices)

    def begin(self) -> None:
        """Follow another face."""
        if self._tracker is not None:
            self._tracker.close()
        self._tracker = None

    def look(self, crop: np.ndarray, square: PixelSquare) -> np.ndarray | None:
        """Points and scores of the face in the crop."""
        if self._tracker is None:
            self._tracker = self.space.landmarker.tracker(FPS)
            self._tracker.warm_up(crop)
        found = self._tracker.look(crop)
        if found is None:
            return None
        points = square.from_crop(found[0].astype(np.float64) * 2 - [1, 1, 0])
        points[:, 2] = found[0][:, 2] * square.side  # a fraction of the width
        return np.concatenate([points.reshape(-1), found[1]])

    def canonical(self, parts: Iterable[np.ndarray]) -> np.ndarray:
        """As `LandmarkFaceSpace.motion` has x_c, of rows that come in parts."""
        total, count = np.zeros((NUM_KEYPOINTS, 3)), 0
        for rows in parts:
            _, unposed = self.space.unpose(_points(rows))
            explained = (rows[:, -NUM_BLENDSHAPES:] @ self.space.basis).reshape(-1, NUM_KEYPOINTS, 3)
            total, count = total + (unposed[:, KEYPOINTS] - explained).sum(0), count + len(rows)
        return close_lips(total / count)

    def motion(self, rows: np.ndarray, x_c: np.ndarray, square: PixelSquare) -> Motion:
        """Delta in face widths in the head's frame, pose in half widths of the square."""
        (s, rotation, t), unposed = self.space.unpose(_points(rows))
        half, middle = square.side / 2, square.from_crop(np.zeros(3))
        return Motion(x_c.astype(np.float32), (unposed[:, KEYPOINTS] - x_c).astype(np.float32),
                      angles_from_rotation(rotation).astype(np.float32),
                      ((t - middle) / half * [1, 1, 0]).astype(np.float32), (s / half).astype(np.float32))

    def opening(self, rows: np.ndarray) -> np.ndarray:
        """Distance of the inner lips' middles."""
        points = _points(rows)
        return np.linalg.norm(points[:, 14] - points[:, 13], axis=-1) / np.linalg.norm(
            points[:, 454] - points[:, 234], axis=-1)

    def inside(self, picture: np.ndarray, row: np.ndarray, x_c: np.ndarray) -> Mouth:
        """Teeth of a picture whose mouth is open, else drawn ones in its light."""
        points = _points(row[None])[0]
        patch, corner = _patch(picture, points)
        plane = self._plane(points, x_c)
        return prepare_mouth(patch, points[:468, :2] - corner, _shift(plane, corner))

    def redraw(self, picture: np.ndarray, row: np.ndarray, x_c: np.ndarray, delta: np.ndarray, inside: Mouth,
               share: float) -> None:
        """Warp the lower face, then paint what the lips leave free."""
        points = _points(row[None])[0]
        (s, rotation, t), unposed = self.space.unpose(points[None])
        wanted = x_c + delta
        wanted = wanted + _closing(wanted)
        moved = np.where(self.mouth[:, None], share * (wanted - unposed[0][list(KEYPOINTS)]), 0)  # [K, 3]
        near = (points - points.mean(0)) / s[0]  # in face widths, or the system is badly scaled
        matrix = interpolation_matrix(self.space.template.vertices, near[list(KEYPOINTS)], near[:468])
        face = points[:468] + self._freedom[:, None] * (matrix @ (s[0] * (moved @ rotation[0])))
        face = uncross(face, _LIPS, down=rotation[0][1, :2])
        patch, corner = _patch(picture, points)
        patch = _warp(patch, points[:468] - [*corner, 0], face - [*corner, 0], self.space.template.triangles)
        chin = s[0] * ((x_c[_CHIN] + share * delta[_CHIN] + (1 - share) * (unposed[0][KEYPOINTS[_CHIN]] - x_c[_CHIN])
                        ) @ rotation[0]) + t[0]
        closed = s[0] * (x_c[_CHIN] @ rotation[0]) + t[0]
        paint_mouth(inside, patch, face[:, :2] - corner, _shift(self._plane(points, x_c), corner),
                    (chin - closed)[:2], share)
        _put(picture, patch, corner)

    def _plane(self, points: np.ndarray, x_c: np.ndarray) -> np.ndarray:
        """The plane of the teeth in face widths -> pixels of the film."""
        (s, rotation, t), _ = self.space.unpose(points[None])
        return mouth_plane(x_c[_LIP_MIDDLES].mean(0), float(s[0, 0]), rotation[0], t[0])


def _points(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows[:, :NUM_POINTS * 3], np.float64).reshape(-1, NUM_POINTS, 3)


def _closing(points: np.ndarray) -> np.ndarray:
    """Lips that nearly touch go on to close, as in `retarget`."""
    inwards, change = lip_closing(points[None])[0], np.zeros_like(points)
    for inner, outer, sign in ((LIPS_INNER_UPPER[1:-1], LIPS_OUTER_UPPER[1:-1], 1),
                               (LIPS_INNER_LOWER, LIPS_OUTER_LOWER, -1)):
        change[positions(inner)] = change[positions(outer)] = sign * inwards
    return change


def _freedom(vertices: np.ndarray) -> np.ndarray:
    """Share of its displacement that a face vertex takes [468]: 0 at the lower lids, 1 from the base of the nose down;
    the canonical face's `vertices` [468, 3]."""
    top, bottom = vertices[list(_EYE_LINE), 1].mean(), vertices[_NOSE_BASE, 1]
    share = np.clip((vertices[:, 1] - top) / (bottom - top), 0, 1)
    return share * share * (3 - 2 * share)


def _ring(points: np.ndarray) -> np.ndarray:
    """Pixels around the face [36, 2] that stay."""
    oval = points[list(FACE_OVAL), :2]
    return oval.mean(0) + RING * (oval - oval.mean(0))


def _patch(picture: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The square around a face's ring, its corner [2] in whole pixels; outside the picture its border is repeated."""
    ring = _ring(points)
    low = np.floor(ring.min(0)).astype(int) - 2
    side = int(np.ceil((ring.max(0) - low).max())) + 3
    height, width = picture.shape[:2]
    rows, columns = ((low[axis] + np.arange(side)).clip(0, size - 1) for axis, size in ((1, height), (0, width)))
    return picture[rows[:, None], columns[None]], low


def _put(picture: np.ndarray, patch: np.ndarray, corner: np.ndarray) -> None:
    """Lay a patch into the picture, in place; what lies outside is lost."""
    (x, y), side = corner.tolist(), len(patch)
    height, width = picture.shape[:2]
    top, bottom, left, right = max(y, 0), min(y + side, height), max(x, 0), min(x + side, width)
    if top < bottom and left < right:
        picture[top:bottom, left:right] = patch[top - y:bottom - y, left - x:right - x]


def _shift(affine: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """An affine [2, 3] into the film -> into a patch of it."""
    return affine - np.array([[0, 0, corner[0]], [0, 0, corner[1]]])


def _warp(patch: np.ndarray, source: np.ndarray, target: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """patch [S, S, 3] whose face moves from `source` to `target` [468, 3]; where none moves it stays as it is."""
    ring = _ring(source)
    oval, outer = np.array(FACE_OVAL), 468 + np.arange(len(FACE_OVAL))
    after, before = np.roll(oval, -1), np.roll(outer, -1)
    around = np.concatenate([np.stack([oval, after, outer], -1), np.stack([after, before, outer], -1)])
    every = np.concatenate([around, triangles])
    old, new = (np.concatenate([points[:, :2], ring]) for points in (source, target))
    depth = np.concatenate([target[:, 2], np.full(len(ring), target[list(FACE_OVAL), 2].max() + 1e3)])
    moving = np.abs(new - old).max(-1)[every].max(-1) > STILL_PX
    sign = np.sign(_signed_area(old, every))
    facing = (sign == np.sign(_signed_area(new, every))) & (sign != 0)
    facing[len(around):] &= sign[len(around):] == np.sign(sign[len(around):].sum())  # not the far side of a turned face
    order = np.flatnonzero(moving & facing)
    order = order[np.argsort(-depth[every[order]].mean(1), kind="stable")]
    affines = backward_affines(old, new, every)
    order = slivers_first(order[np.isfinite(affines[order, 0, 0])], affines)
    ids = draw_triangle_ids(new, every, order, len(patch))
    x, y = np.meshgrid(np.arange(len(patch), dtype=np.float32), np.arange(len(patch), dtype=np.float32))
    a, b, c, d, e, f = (np.take(row, ids, mode="clip") for row in
                        np.nan_to_num(affines).reshape(-1, 6).T.astype(np.float32))
    still = ids < 0
    map_x, map_y = np.where(still, x, a * x + b * y + c), np.where(still, y, d * x + e * y + f)
    return cv2.remap(patch, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _signed_area(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = (points[triangles[:, k]] for k in range(3))
    return (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
