"""Head pose from a driving video: the driver's movement around its usual pose, put on the portrait's own pose."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.face.driving_crop import driving_square
from models.face.face import FaceDetector
from models.motion.camera import angles_from_rotation, rotation_from_angles
from models.motion.face_space import FaceNotFound, FaceSpace
from models.motion.motion import Motion
from pipeline.animate.decoded import FilmWish
from pipeline.animate.portrait import by_size
from pipeline.animate.uploads import FilmReader, Refused

DETECT_EVERY = 10      # frames between looks of the detector
CROP_SCALE = 2.2       # LivePortrait's driving crop
CROP_SHIFT_Y = -0.1
CROP_PX = 256
CHUNK = 250            # frames whose motion is extracted at once
MAX_SIDE_PX = 7680
MAX_GAP_S = 2.0        # a face that is away for longer is no driver
BLANK = 4.0            # standard deviation of a picture that shows nothing, 0-255


class DrivingError(ValueError):
    """The driving video cannot be used; the message says why."""


@dataclass(frozen=True)
class DrivenPose:
    """Pose rho [T, 7] of a film, and what was noticed about the driving video."""

    rho: np.ndarray
    notes: tuple[str, ...]


def driving_pose(video: Path | str | bytes, frames: int, fps: int, source_rho: np.ndarray, space: FaceSpace,
                 detector: FaceDetector) -> DrivenPose:
    """Pose of a video at `fps` on a portrait's pose [7] -> [frames, 7]; a shorter video runs forth and back.

    Where the face is away for a while the pose passes from before to after. Raises DrivingError.
    """
    face = follow_driver(video, frames, fps, space, detector)
    rho = face.rho
    return DrivenPose(relative_pose(rho[forth_and_back(len(rho), frames)], source_rho, usual_pose(rho)), face.notes)


def usual_pose(rho: np.ndarray) -> np.ndarray:
    """Of poses [T, 7] the one [7] nearest to the median of their angles: a driver may begin turned aside."""
    return rho[np.linalg.norm(rho[:, 4:] - np.median(rho[:, 4:], axis=0), axis=1).argmin()]


def relative_pose(driving: np.ndarray, source: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
    """LivePortrait's relative driving: R = (R_d R_d0^T) R_s, s = s_s s_d / s_d0, t = t_s + t_d - t_d0, t_z = t_s,z.

    driving [T, 7], source [7] in the order of `RHO_NAMES` -> [T, 7]; `reference` [7] is d0, None: the first frame.
    """
    start = driving[0] if reference is None else reference
    scale = source[:1] * driving[:, :1] / start[:1]
    shift = source[1:4] + (driving[:, 1:4] - start[1:4]) * [1, 1, 0]
    turned = rotation_from_angles(driving[:, 4:]) @ rotation_from_angles(start[4:]).T
    angles_deg = angles_from_rotation(turned @ rotation_from_angles(source[4:]))
    return np.concatenate([scale, shift, angles_deg], axis=-1).astype(np.float32)


def forth_and_back(length: int, frames: int) -> np.ndarray:
    """Indices [frames] into `length` frames that run forth and back without repeating the turning frames."""
    if length == 1:
        return np.zeros(frames, int)
    period = 2 * (length - 1)
    phase = np.arange(frames) % period
    return np.minimum(phase, period - phase)


@dataclass(frozen=True)
class DriversFace:
    """rho [T, 7] of a video's own face, its lids' opening [T] (NaN: not seen, or not known), and what was noticed."""

    rho: np.ndarray
    lids: np.ndarray
    notes: tuple[str, ...]


def follow_driver(video: Path | str | bytes, frames: int, fps: int, space: FaceSpace,
                  detector: FaceDetector) -> DriversFace:
    """The face of at most `frames` frames of a video at `fps`; raises DrivingError."""
    name = "the driving video" if isinstance(video, bytes) else f"the driving video {video}"
    whole = FilmWish("", fps, frames, DETECT_EVERY, MAX_SIDE_PX)
    with closing(FilmReader(video)) as reader:
        try:
            square = driving_square(_boxes(reader, whole, detector, name), CROP_SCALE, CROP_SHIFT_Y)
            wish = replace(whole, every=1, square=(square.x, square.y, square.side), crop_px=CROP_PX)
            parts = [_part(crops, space, detector) for crops, _ in reader.parts(wish, CHUNK)]
        except Refused as error:
            raise DrivingError(f"{name} cannot be read: {error}") from error
        except FaceNotFound as error:
            raise DrivingError(f"the face of {name} cannot be followed: {error}") from error
    rows, seen = np.concatenate([rows for rows, _ in parts]), np.concatenate([seen for _, seen in parts])
    return DriversFace(_bridge_gaps(rows[:, :-1], seen, fps), np.where(seen, rows[:, -1], np.nan), _notes(seen, fps))


def _boxes(reader: FilmReader, wish: FilmWish, detector: FaceDetector, name: str) -> np.ndarray:
    """The largest face's box [looks, 4] in pixels of the video."""
    boxes = [by_size(faces)[0].box * scale for pictures, scale in reader.parts(wish, CHUNK // DETECT_EVERY)
             for picture in pictures if (faces := detector.detect(picture))]
    if not boxes:
        raise DrivingError(f"no face found in {name}")
    return np.array(boxes)


def _part(crops: np.ndarray, space: FaceSpace, detector: FaceDetector) -> tuple[np.ndarray, np.ndarray]:
    """rho and lids [n, 8] of crops [n, S, S, 3] and where a face is seen [n]; blank frames, and those that a face space
    loses and the detector does not see either, have none."""
    seen = crops.std(axis=(1, 2)).max(axis=-1) >= BLANK
    rows = np.zeros((len(crops), 8), np.float32)
    if not seen.any():
        return rows, seen
    try:
        rows[seen] = _rows(space.extract(crops[seen]), space)
    except FaceNotFound:
        seen &= [bool(detector.detect(crop)) for crop in crops]
        if not seen.any():
            return rows, seen
        rows[seen] = _rows(space.extract(crops[seen]), space)
    return rows, seen


def _rows(motion: Motion, space: FaceSpace) -> np.ndarray:
    """rho and, last, the opening of the lids [n, 8]."""
    lids = space.lid_opening(motion.x_c + motion.delta) if space.knows_eyes else np.full(len(motion), np.nan)
    return np.concatenate([motion.rho, lids[:, None]], axis=1)


def _bridge_gaps(rho: np.ndarray, seen: np.ndarray, fps: int) -> np.ndarray:
    """Frames without a face get the pose between those before and after, held at the ends; raises DrivingError."""
    gaps = _gaps(seen)
    if not seen.any() or any(end - start > MAX_GAP_S * fps for start, end in gaps):
        start = 0 if not seen.any() else next(start for start, end in gaps if end - start > MAX_GAP_S * fps)
        raise DrivingError(f"the driving video's face is away for over {MAX_GAP_S:g} s (from {start / fps:.1f} s on)")
    times, known = np.arange(len(seen)), np.flatnonzero(seen)
    return np.stack([np.interp(times, known, rho[known, i]) for i in range(rho.shape[1])], axis=-1)


def _gaps(seen: np.ndarray) -> list[tuple[int, int]]:
    """Runs [start, end) of frames without a face."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], seen, [True]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _notes(seen: np.ndarray, fps: int) -> tuple[str, ...]:
    gaps = _gaps(seen)
    if not gaps:
        return ()
    where = ", ".join(f"{start / fps:.2f} to {end / fps:.2f} s" for start, end in gaps[:3])
    more = f" and {len(gaps) - 3} more" if len(gaps) > 3 else ""
    return (f"the driving video shows no face from {where}{more}: the pose is bridged there",)
