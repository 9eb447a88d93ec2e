"""The `landmark` face space: MediaPipe landmarks as canonical key points, a mesh renderer, no learned renderer.

Pose is the similarity transform of rigid points to the canonical face; delta is stored in the head's frame, so
that expression does not depend on pose: x = s ((x_c + delta) R) + t. x_c is identity: the mean over the clip of
the unposed points minus what the blendshape scores explain (`models.landmark.basis`), with the lips closed, so
that delta alone says how far a mouth is open and a closed mouth is closed on every face.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.face.landmarker import NUM_BLENDSHAPES, FaceLandmarker, Landmarks
from models.face.points import (
    JAW,
    KEYPOINTS,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    LIPS_OUTER_LOWER,
    LIPS_OUTER_UPPER,
    NUM_KEYPOINTS,
    positions,
)
from models.landmark.directing import hold_gaze, hold_lids, scale_mouth
from models.landmark.pose import fit_head
from models.landmark.render import prepare, render
from models.landmark.retarget import LOWER, UPPER, retarget
from models.landmark.shutting import shut_lids, shut_lips
from models.landmark.template import read_template
from models.motion.camera import angles_from_rotation, transform_head_keypoints
from models.motion.clock import FPS
from models.motion.face_space import Appearance, FaceNotFound
from models.motion.motion import Motion

MAX_GAP_FRAMES = 5  # a fifth of a second without a face is interpolated, more is an error


class LandmarkFaceSpace:
    """The FaceSpace protocol over one `.task` file and the expression basis B [52, 3K] (None: zeros)."""

    name = "landmark"
    num_keypoints = NUM_KEYPOINTS
    knows_eyes = True

    def __init__(self, task_path: Path, basis: np.ndarray | None = None):
        self.landmarker = FaceLandmarker(task_path)
        self.template = read_template(task_path)
        basis = np.zeros((NUM_BLENDSHAPES, NUM_KEYPOINTS * 3)) if basis is None else np.asarray(basis)
        if basis.shape != (NUM_BLENDSHAPES, NUM_KEYPOINTS * 3):
            raise ValueError(f"expression basis is {basis.shape}, expected {(NUM_BLENDSHAPES, NUM_KEYPOINTS * 3)}")
        self.basis = basis.astype(np.float64)

    def keypoints(self, motion: Motion, x_c: np.ndarray | None = None) -> np.ndarray:
        """x = s ((x_c + delta) R) + t -> [T, K, 3]."""
        x_c = motion.x_c if x_c is None else x_c
        return transform_head_keypoints(x_c[None], motion.delta, motion.rotation, motion.t, motion.s)

    def extract(self, frames: np.ndarray) -> Motion:
        """frames [T, S, S, 3] at 25 fps -> Motion; raises FaceNotFound where over 5 frames have no face."""
        return self.motion(self.landmarks(frames))

    def landmarks(self, frames: np.ndarray) -> Landmarks:
        """Landmarks of a clip with its short gaps filled; raises FaceNotFound."""
        _check_square(frames)
        return fill_gaps(self.landmarker.detect_video(frames, FPS), MAX_GAP_FRAMES)

    def motion(self, landmarks: Landmarks) -> Motion:
        """Motion of landmarks without gaps (as from `landmarks`)."""
        (s, rotation, t), unposed = self.unpose(landmarks.points)
        unposed = unposed[:, KEYPOINTS]
        explained = (landmarks.blendshapes.astype(np.float64) @ self.basis).reshape(unposed.shape)
        x_c = close_lips((unposed - explained).mean(0))
        return Motion(x_c.astype(np.float32), (unposed - x_c).astype(np.float32),
                      angles_from_rotation(rotation).astype(np.float32), t.astype(np.float32), s.astype(np.float32))

    def unpose(self, points: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
        """points [T, 478, 3] -> (s [T, 1], R [T, 3, 3], t [T, 3] with t_z = 0), unposed points [T, 478, 3]."""
        s, rotation, t, unposed = fit_head(self.template, points)
        return (s, rotation, t), unposed

    def appearance(self, image: np.ndarray) -> Appearance:
        """One square crop [S, S, 3] uint8 -> what `render` needs; raises FaceNotFound."""
        image = np.asarray(image)
        landmarks = self.landmarks(image[None])
        motion = self.motion(landmarks)
        points = landmarks.points[0].astype(np.float64)
        points[:, 2] += (self.keypoints(motion)[0] - points[list(KEYPOINTS)])[:, 2].mean()  # eq. 1 drops t_z
        return Appearance(motion, prepare(image, points, motion, self.template))

    def retarget(self, motion: Motion, portrait: Motion, rest: np.ndarray) -> Motion:
        """Generated motion on the portrait's own eyes and brows."""
        return retarget(motion, portrait, rest)

    def shut_eyes(self, points: np.ndarray, closed: np.ndarray) -> np.ndarray:
        """Lids of points [T, K, 3] that fall by closed [T]."""
        return shut_lids(points, closed)

    def shut_mouth(self, points: np.ndarray, closed: np.ndarray) -> np.ndarray:
        """Lips of points [T, K, 3] that meet by closed [T]."""
        return shut_lips(points, closed)

    def hold_gaze(self, x_c: np.ndarray, delta: np.ndarray, angles_deg: np.ndarray, own_delta: np.ndarray,
                  own_angles_deg: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Irises that turn against the head."""
        return hold_gaze(x_c, delta, angles_deg, own_delta, own_angles_deg, share)

    def hold_lids(self, x_c: np.ndarray, delta: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """Lids that the model itself would nearly shut."""
        return hold_lids(x_c, delta, rest)

    def lid_opening(self, points: np.ndarray) -> np.ndarray:
        """Mean gap of three columns of each eye, in face widths."""
        return (points[:, LOWER] - points[:, UPPER])[..., 1].mean(axis=1)

    def scale_mouth(self, delta: np.ndarray, rest: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """Around shut lips, which are delta 0 here."""
        return scale_mouth(delta, scale)

    def render(self, appearance: Appearance, x_source: np.ndarray, x_driving: np.ndarray) -> np.ndarray:
        """x_source [K, 3], x_driving [T, K, 3] -> frames [T, 512, 512, 3] uint8 RGB."""
        return render(appearance.content, x_source, x_driving)


def close_lips(x_c: np.ndarray) -> np.ndarray:
    """x_c [K, 3] with the lips brought together halfway, column by column, the chin following the lower lip."""
    closed = x_c.copy()
    upper, lower = (positions(side) for side in (LIPS_INNER_UPPER[1:-1], LIPS_INNER_LOWER))
    half_gap = (x_c[lower] - x_c[upper]) / 2
    for rows in (upper, positions(LIPS_OUTER_UPPER[1:-1])):
        closed[rows] += half_gap
    for rows in (lower, positions(LIPS_OUTER_LOWER)):
        closed[rows] -= half_gap
    closed[positions(JAW[:2])] -= half_gap[len(half_gap) // 2]
    return closed


def fill_gaps(landmarks: Landmarks, max_gap: int) -> Landmarks:
    """Interpolate runs of at most `max_gap` missed frames (held at the ends); raises FaceNotFound."""
    found = landmarks.found
    if found.all():
        return landmarks
    frame = first_long_gap(found, max_gap)
    if frame is not None:
        raise FaceNotFound(frame, "no face found" if not found.any() else f"face lost for over {max_gap} frames")
    times, known = np.arange(len(found)), np.flatnonzero(found)

    def interpolate(values: np.ndarray) -> np.ndarray:
        flat = values.reshape(len(values), -1)
        columns = [np.interp(times, known, flat[known, column]) for column in range(flat.shape[1])]
        return np.stack(columns, -1).reshape(values.shape).astype(values.dtype)

    return Landmarks(interpolate(landmarks.points), interpolate(landmarks.blendshapes), landmarks.names, found)


def first_long_gap(found: np.ndarray, max_gap: int) -> int | None:
    """First frame of the first run of more than `max_gap` False in found [T]; all False counts as long."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], found, [True]]).astype(np.int8)))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start > max_gap or not found.any():
            return int(start)
    return None


def _check_square(frames: np.ndarray) -> None:
    if frames.ndim != 4 or frames.shape[1] != frames.shape[2]:
        raise ValueError(f"the landmark face space takes square crops [T, S, S, 3], got {frames.shape}")


