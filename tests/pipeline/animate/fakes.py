"""Parts with the interfaces of the real ones, to test what joins them. K = 2 key points, speech of 3 dimensions."""

from __future__ import annotations

import numpy as np

from models.face.face import Face
from models.generation.request import REPEATED, SampleSettings
from models.generation.track import rewindow
from models.motion.face_space import Appearance, FaceNotFound
from models.motion.motion import Motion

LABELS = ("neutral", "happy", "sad")


class FakeSpace:
    """Bright pictures have a face. A frame's colour says which motion it shows: red = 10 x the first delta."""

    name, num_keypoints, knows_eyes = "fake", 2, False

    def keypoints(self, motion: Motion, x_c=None) -> np.ndarray:
        return motion.x_c + motion.delta

    def extract(self, frames: np.ndarray) -> Motion:
        yaw = frames[:, 0, 0, 0].astype(np.float32)  # the red of the corner is the yaw in degrees
        zeros = np.zeros((len(frames), 3), np.float32)
        return Motion(np.zeros((2, 3), np.float32), np.zeros((len(frames), 2, 3), np.float32),
                      zeros + np.stack([0 * yaw, yaw, 0 * yaw], -1), zeros, zeros[:, :1] + 1)

    def appearance(self, image: np.ndarray) -> Appearance:
        if image.mean() < 10:
            raise FaceNotFound(0)
        return Appearance(self.extract(np.zeros((1, 8, 8, 3), np.uint8)), image)

    def retarget(self, motion: Motion, portrait: Motion, rest: np.ndarray) -> Motion:
        return motion

    def shut_eyes(self, points: np.ndarray, closed: np.ndarray) -> np.ndarray:
        return 0 * points

    shut_mouth = shut_eyes

    def render(self, appearance: Appearance, x_source: np.ndarray, x_driving: np.ndarray) -> np.ndarray:
        frames = np.zeros((len(x_driving), 512, 512, 3), np.uint8)
        frames[..., 0] = np.clip(10 * x_driving[:, 0, 0], 0, 255).astype(np.uint8)[:, None, None]
        return frames


class FakeDetector:
    def __init__(self, *boxes: tuple[float, float, float, float]):
        self.boxes = boxes or ((20.0, 20.0, 60.0, 60.0),)

    def detect(self, image: np.ndarray) -> list[Face]:
        return [Face(np.array(box, float), 0.9, _five_points(box)) for box in self.boxes]


class NoFaces:
    def detect(self, image: np.ndarray) -> list[Face]:
        return []


class FakeEncoder:
    name, dim = "fake", 3

    def __init__(self):
        self.pieces: list[int] = []

    def encode(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        """Feature 0 is the mean size of the samples of the frame."""
        self.pieces.append(frames)
        padded = np.pad(waveform[:640 * frames], (0, max(0, 640 * frames - len(waveform)))).reshape(frames, 640)
        return np.repeat(np.abs(padded).mean(1, keepdims=True), 3, axis=1).astype(np.float32)


class FakeGenerator:
    """Delta of the first key point is 10 x the first speech feature; windows of 50 frames."""

    labels, window, rest = LABELS, 50, np.zeros((2, 3))

    def __init__(self):
        self.requests, self.overrides = [], []
        self.settings = SampleSettings("ddim", 5, 1.5, 2.5, 10.0, 8, 3.0, 1.0, 1.0, 1)

    def stream(self, request, **settings):
        self.requests.append(request)
        self.overrides.append(settings)
        size = request.window or self.window
        for window in rewindow(request.speech, size, size - REPEATED, 3):
            vectors = np.zeros((len(window), 13), np.float32)
            vectors[:, 0] = 10 * window[:, 0]
            vectors[:, 6] = 1
            yield vectors


def _five_points(box) -> np.ndarray:
    left, top, right, bottom = box
    x, y = np.array([0.3, 0.7, 0.5, 0.35, 0.65]), np.array([0.35, 0.35, 0.55, 0.8, 0.8])
    return np.stack([left + x * (right - left), top + y * (bottom - top)], axis=-1)
