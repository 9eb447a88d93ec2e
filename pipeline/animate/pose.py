"""Head pose from a driving video: the driver's movement since the first frame, put on the portrait's own pose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np

from models.face.driving_crop import cut, driving_square
from models.face.face import FaceDetector
from models.motion.camera import angles_from_rotation, rotation_from_angles
from models.motion.face_space import FaceNotFound, FaceSpace
from pipeline.animate.portrait import by_size
from pipeline.animate.speech import SpeechError, open_media

DETECT_EVERY = 10      # frames between looks of the detector
CROP_SCALE = 2.2       # LivePortrait's driving crop
CROP_SHIFT_Y = -0.1
CROP_PX = 256
CHUNK = 250            # frames whose motion is extracted at once
MAX_PIXELS = 4320 * 7680


class DrivingError(ValueError):
    """The driving video cannot be used; the message says why."""


def driving_pose(video: Path | str | bytes, frames: int, fps: int, source_rho: np.ndarray, space: FaceSpace,
                 detector: FaceDetector) -> np.ndarray:
    """Pose of a video at `fps` on a portrait's pose [7] -> rho [frames, 7]; a shorter video runs forth and back.

    Raises DrivingError.
    """
    rho = _extracted(video, frames, fps, space, detector)
    return relative_pose(rho[forth_and_back(len(rho), frames)], source_rho)


def relative_pose(driving: np.ndarray, source: np.ndarray) -> np.ndarray:
    """LivePortrait's relative driving: R = (R_d R_d0^T) R_s, s = s_s s_d / s_d0, t = t_s + t_d - t_d0, t_z = t_s,z.

    driving [T, 7], source [7] in the order of `RHO_NAMES` -> [T, 7].
    """
    scale = source[:1] * driving[:, :1] / driving[:1, :1]
    shift = source[1:4] + (driving[:, 1:4] - driving[:1, 1:4]) * [1, 1, 0]
    turned = rotation_from_angles(driving[:, 4:]) @ rotation_from_angles(driving[0, 4:]).T
    angles_deg = angles_from_rotation(turned @ rotation_from_angles(source[4:]))
    return np.concatenate([scale, shift, angles_deg], axis=-1).astype(np.float32)


def forth_and_back(length: int, frames: int) -> np.ndarray:
    """Indices [frames] into `length` frames that run forth and back without repeating the turning frames."""
    if length == 1:
        return np.zeros(frames, int)
    period = 2 * (length - 1)
    phase = np.arange(frames) % period
    return np.minimum(phase, period - phase)


def _extracted(video: Path | str | bytes, frames: int, fps: int, space: FaceSpace,
               detector: FaceDetector) -> np.ndarray:
    try:
        boxes = _boxes(lambda: _decode(video, fps, frames), detector)
        square = driving_square(boxes, CROP_SCALE, CROP_SHIFT_Y)
        crops = (cut(image, square, CROP_PX) for image in _decode(video, fps, frames))
        return np.concatenate([space.extract(np.stack(chunk)).rho for chunk in _chunks(crops, CHUNK)])
    except FaceNotFound as error:
        raise DrivingError(f"the driving video's face cannot be followed: {error}") from error
    except (av.FFmpegError, SpeechError) as error:
        raise DrivingError(f"the driving video cannot be read: {error}") from error


def _boxes(decode: Callable[[], Iterator[np.ndarray]], detector: FaceDetector) -> np.ndarray:
    boxes = []
    for index, image in enumerate(decode()):
        if index % DETECT_EVERY == 0 and (faces := detector.detect(image)):
            boxes.append(by_size(faces)[0].box)
    if not boxes:
        raise DrivingError("no face found in the driving video")
    return np.array(boxes)


def _decode(video: Path | str | bytes, fps: int, limit: int) -> Iterator[np.ndarray]:
    """Upright RGB frames on the grid i / fps, each the newest picture at that time; at most `limit`."""
    with open_media(video) as media:
        if not media.streams.video:
            raise DrivingError("the driving video has no picture")
        stream = media.streams.video[0]
        if stream.width * stream.height > MAX_PIXELS:
            raise DrivingError(f"the driving video has {stream.width}x{stream.height} pixels")
        made, held, start_s = 0, None, None
        for frame in media.decode(stream):
            time_s = float(frame.pts * stream.time_base) if frame.pts is not None else made / fps
            start_s = time_s if start_s is None else start_s
            while held is not None and made < limit and made / fps < time_s - start_s - 1e-6:
                yield held
                made += 1
            if made >= limit:
                return
            held = _upright(frame)
        if held is not None and made < limit:
            yield held


def _upright(frame: av.VideoFrame) -> np.ndarray:
    image = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90) % 4)) if frame.rotation else image


def _chunks(items: Iterator[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    chunk: list[np.ndarray] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
