"""The `liveportrait` face space (paper 3.1): M for motion, F for appearance, W and G for pictures.

Crops are expected as LivePortrait's rules cut them (`models.face.source_crop`). M answers for any picture, so no
face is ever "not found" here: that is the detector's word, in preprocessing and before a portrait is cropped. PyTorch
runs the networks (`models.liveportrait.torch_space`), or ONNX Runtime (`models.liveportrait.graph_runner`).
"""

from __future__ import annotations

from typing import Any, Protocol

import cv2
import numpy as np

from models.liveportrait.widths import INPUT_PX, NUM_KEYPOINTS, OUTPUT_PX
from models.motion.camera import transform_keypoints
from models.motion.face_space import Appearance
from models.motion.motion import Motion

MOUTH = (6, 12, 14, 17, 19, 20)   # key points that the released code moves for its animation region "lip"


class Runner(Protocol):
    """Who runs F, M, W and G. Pictures are RGB uint8, `batch` of them at once."""

    batch: int

    def motion(self, pictures: np.ndarray) -> np.ndarray:
        """M of pictures [batch, 256, 256, 3] -> rows [batch, 63 + 63 + 3 + 3 + 1]: x_c, delta, angles, t, s."""

    def volume(self, picture: np.ndarray) -> Any:
        """F of a picture [1, 256, 256, 3], in the form that `images` takes."""

    def images(self, volume: Any, source: np.ndarray, driving: np.ndarray) -> np.ndarray:
        """W and G: key points [1, K, 3] of the portrait and [<= batch, K, 3] of its frames, float32 -> uint8 [.., 512,
        512, 3]."""


class LivePortraitFaceSpace:
    """The FaceSpace protocol over networks that `runner` runs."""

    name = "liveportrait"
    num_keypoints = NUM_KEYPOINTS
    knows_eyes = False

    def __init__(self, runner: Runner):
        self.runner = runner

    def keypoints(self, motion: Motion, x_c: np.ndarray | None = None) -> np.ndarray:
        """x = s (x_c R + delta) + t without t_z -> [T, K, 3]."""
        x_c = motion.x_c if x_c is None else x_c
        return transform_keypoints(x_c[None], motion.delta, motion.rotation, motion.t * [1, 1, 0], motion.s)

    def extract(self, frames: np.ndarray) -> Motion:
        """frames [T, S, S, 3] uint8 -> Motion; x_c is the mean over the clip of M's canonical key points, t_z is 0."""
        return self.extract_many([frames])[0]

    def extract_many(self, clips: list[np.ndarray]) -> list[Motion]:
        """Motion of several clips in one pass. M always sees `runner.batch` pictures, the last ones black if need be,
        so that a frame's numbers do not depend on what came with it."""
        frames, batch = np.concatenate([small(clip) for clip in clips]), self.runner.batch
        rows = []
        for start in range(0, len(frames), batch):
            piece = frames[start:start + batch]
            whole = np.concatenate([piece, np.zeros_like(piece, shape=(batch - len(piece), *piece.shape[1:]))])
            rows.append(self.runner.motion(whole)[:len(piece)])
        stops = np.cumsum([len(clip) for clip in clips])[:-1]
        return [as_motion(part) for part in np.split(np.concatenate(rows), stops)]

    def appearance(self, image: np.ndarray) -> Appearance:
        """image [S, S, 3] uint8, one source crop -> its motion and what F sees in it."""
        picture = np.asarray(image)[None]
        return Appearance(self.extract(picture), self.runner.volume(small(picture)))

    def retarget(self, motion: Motion, portrait: Motion, rest: np.ndarray) -> Motion:
        """The motion itself: M's key points of a portrait carry its looks."""
        return motion

    def shut_eyes(self, points: np.ndarray, closed: np.ndarray) -> np.ndarray:
        """Nothing: which of its key points are lids is not known, so blinks are the model's own."""
        return np.zeros_like(points)

    def shut_mouth(self, points: np.ndarray, closed: np.ndarray) -> np.ndarray:
        """Nothing, as for the eyes."""
        return np.zeros_like(points)

    def hold_gaze(self, x_c: np.ndarray, delta: np.ndarray, angles_deg: np.ndarray, own_delta: np.ndarray,
                  own_angles_deg: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Not possible: none of its key points is known to be an iris."""
        raise NotImplementedError("LivePortrait's key points have no irises")

    def hold_lids(self, x_c: np.ndarray, delta: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """Nor a lid."""
        raise NotImplementedError("LivePortrait's key points have no lids")

    def lid_opening(self, points: np.ndarray) -> np.ndarray:
        """Not known either."""
        raise NotImplementedError("LivePortrait's key points have no lids")

    def scale_mouth(self, delta: np.ndarray, rest: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """Around the mean mouth, for which of its values mean shut lips is not known."""
        share, mouth = np.asarray(scale)[:, None, None], list(MOUTH)
        scaled = delta.astype(np.float64)
        scaled[:, mouth] = share * delta[:, mouth] + (1 - share) * rest[mouth]
        return scaled

    def render(self, appearance: Appearance, x_source: np.ndarray, x_driving: np.ndarray) -> np.ndarray:
        """x_source [K, 3], x_driving [T, K, 3] -> frames [T, 512, 512, 3] uint8 RGB, in batches."""
        source, driving = np.asarray(x_source, np.float32)[None], np.asarray(x_driving, np.float32)
        frames = np.empty((len(driving), OUTPUT_PX, OUTPUT_PX, 3), np.uint8)
        for start in range(0, len(driving), self.runner.batch):
            piece = driving[start:start + self.runner.batch]
            frames[start:start + len(piece)] = self.runner.images(appearance.content, source, piece)
        return frames


def as_motion(rows: np.ndarray) -> Motion:
    """Rows [T, 133] of one clip, as `Runner.motion` gives them -> Motion."""
    x_c, delta, angles, t, s = np.split(rows, np.cumsum([63, 63, 3, 3]), axis=1)
    points = (-1, NUM_KEYPOINTS, 3)
    return Motion(x_c.astype(np.float64).mean(0).astype(np.float32).reshape(points[1:]), delta.reshape(points), angles,
                  np.concatenate([t[:, :2], np.zeros_like(s)], 1), s)


def small(frames: np.ndarray) -> np.ndarray:
    """Square crops [T, S, S, 3] uint8 at the networks' 256 px; raises ValueError for anything else."""
    if (frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1] != frames.shape[2] or frames.shape[3] != 3
            or len(frames) == 0):
        raise ValueError(f"the liveportrait face space takes square crops [T, S, S, 3] uint8, got {frames.dtype} "
                         f"{frames.shape}")
    side = frames.shape[1]
    if side == INPUT_PX:
        return frames
    method = cv2.INTER_AREA if side > INPUT_PX else cv2.INTER_CUBIC
    return np.stack([cv2.resize(frame, (INPUT_PX, INPUT_PX), interpolation=method) for frame in frames])
