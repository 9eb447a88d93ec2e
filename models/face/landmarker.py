"""MediaPipe's face landmarker: 478 points with depth and 52 blendshape scores for every frame of a clip.

Points are in crop coordinates: x right, y down, each spanning [-1, 1] over the picture, z away from the viewer
in the units of x. Every clip is tracked by its own instance, so that a result depends on that clip alone.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np

from models.formats.bare import bare
from models.formats.tflite import quiet_native_stderr

NUM_POINTS = 478
NUM_BLENDSHAPES = 52
WARM_UP_FRAMES = 4  # the tracked region settles to 0.2 px (of 512) within four looks at the first frame
# MediaPipe smooths landmarks over time: at the true pace that delays the lips by most of a frame and keeps them
# from closing (on a 30 fps speaker, correlation with the drawn opening 0.90; 0.95 when its clock runs this fast)
CLOCK_STRETCH = 100


@dataclass(frozen=True)
class Landmarks:
    """Landmarks of T frames; rows where `found` is False are NaN."""

    points: np.ndarray  # [T, 478, 3] float32, crop coordinates
    blendshapes: np.ndarray  # [T, 52] float32 in [0, 1]
    names: tuple[str, ...]  # of the 52 blendshapes; empty where no frame has a face
    found: np.ndarray  # [T] bool


class FaceLandmarker:
    """One `.task` file; `min_confidence` in (0, 1) is that of detection, presence and tracking."""

    def __init__(self, path: Path, min_confidence: float = 0.5):
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"face landmarker model {path} is missing: run `playmate weights pull`")
        self.path = path
        self.min_confidence = min_confidence

    def detect_video(self, frames: np.ndarray, fps: float) -> Landmarks:
        """Track the face of frames [T, H, W, 3] uint8 RGB; several faces: the most prominent one."""
        frames = _check(frames)
        landmarks = self._track(frames, fps, pad=0.0)
        if landmarks.found[0]:
            return landmarks
        padded = self._track(frames, fps, pad=0.5)  # the detector misses faces that fill the picture
        return padded if padded.found.sum() > landmarks.found.sum() else landmarks

    def tracker(self, fps: float) -> FaceTracker:
        """One face followed picture by picture; close it."""
        return FaceTracker(self.path, self.min_confidence, fps)

    def _track(self, frames: np.ndarray, fps: float, pad: float) -> Landmarks:
        count = len(frames)
        points = np.full((count, NUM_POINTS, 3), np.nan, np.float32)
        scores = np.full((count, NUM_BLENDSHAPES), np.nan, np.float32)
        names: tuple[str, ...] = ()
        with contextlib.closing(self.tracker(fps)) as tracker:
            tracker.warm_up(_pad(frames[0], pad))
            for index, frame in enumerate(frames):
                found = tracker.look(_pad(frame, pad))
                if found is not None:
                    points[index], scores[index], names = _to_crop(found[0], frame, pad), found[1], found[2]
        return Landmarks(points, scores, names, np.isfinite(points[:, 0, 0]))


@cache
def media_pipe() -> ModuleType:
    """MediaPipe's module for face landmarks, with its library loaded."""
    parts = ("mediapipe", "tasks", "python", "vision")
    with bare(*(".".join(parts[:count]) for count in range(1, len(parts) + 1))):
        from mediapipe.tasks.python.vision import face_landmarker

        face_landmarker.mediapipe_c_bindings_lib.load_raw_library()   # found by the packages' names
    return face_landmarker


class FaceTracker:
    """One MediaPipe instance in VIDEO mode with a clock of its own."""

    def __init__(self, path: Path, min_confidence: float, fps: float):
        vision = media_pipe()
        with quiet_native_stderr():
            options = vision.FaceLandmarkerOptions(
                base_options=vision.base_options_lib.BaseOptions(model_asset_path=str(path)),
                running_mode=vision.running_mode_lib.VisionTaskRunningMode.VIDEO, num_faces=1,
                output_face_blendshapes=True,
                min_face_detection_confidence=min_confidence, min_face_presence_confidence=min_confidence,
                min_tracking_confidence=min_confidence)
            self._task = vision.FaceLandmarker.create_from_options(options)
        self._fps, self._looks = fps, 0

    def warm_up(self, frame: np.ndarray) -> None:
        with quiet_native_stderr():
            for _ in range(WARM_UP_FRAMES):
                self.look(frame)

    def look(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]] | None:
        """Points [478, 3] as fractions of the picture, scores [52] and their names; None without a face."""
        image = media_pipe().image_lib.Image(media_pipe().image_lib.ImageFormat.SRGB, frame)
        result = self._task.detect_for_video(image, round(self._looks * CLOCK_STRETCH * 1000 / self._fps))
        self._looks += 1
        if not result.face_landmarks:
            return None
        points = np.array([(p.x, p.y, p.z) for p in result.face_landmarks[0]], np.float32)
        shapes = result.face_blendshapes[0]
        scores = np.array([shape.score for shape in shapes], np.float32)
        return points, scores, tuple(shape.category_name for shape in shapes)

    def close(self) -> None:
        self._task.close()


def _check(frames: np.ndarray) -> np.ndarray:
    frames = np.ascontiguousarray(frames)
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or len(frames) == 0:
        raise ValueError(f"frames must be [T, H, W, 3] uint8, got {frames.dtype} {frames.shape}")
    return frames


def _pad(frame: np.ndarray, pad: float) -> np.ndarray:
    if pad == 0:
        return frame
    y, x = (round(pad * side) for side in frame.shape[:2])
    return cv2.copyMakeBorder(frame, y, y, x, x, cv2.BORDER_CONSTANT)


def _to_crop(points: np.ndarray, frame: np.ndarray, pad: float) -> np.ndarray:
    """Fractions of the padded picture -> crop coordinates of the frame; depth is a fraction of the width."""
    sides = frame.shape[1], frame.shape[0]
    margins = np.array([round(pad * side) / side for side in sides])
    crop = points * np.array([*(1 + 2 * margins), 1 + 2 * margins[0]])
    crop[:, :2] -= margins
    return crop * 2 - np.array([1, 1, 0])
