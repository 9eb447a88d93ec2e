"""Numbers of one video against its reference. The video may come from anyone: nothing here knows a model."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from evaluation.curves import FaceCurves, face_curves
from evaluation.faces import BOX_SCALES, align, face_box
from evaluation.lip_sync import SpeechToMouth, mouth_sync
from evaluation.motion import count_blinks, jitter, mouth_correlation, value_range
from evaluation.parts import Judges
from models.face_space import FaceNotFound
from models.landmarker import Landmarks


@dataclass(frozen=True)
class Seen:
    """A video [T, H, W, 3] and what the landmarker saw in it."""

    frames: np.ndarray
    landmarks: Landmarks
    curves: FaceCurves


def look_at(frames: np.ndarray, judges: Judges) -> Seen:
    """Find the face in every frame; raises FaceNotFound where there is none at all."""
    landmarks = judges.landmarks(frames)
    if not landmarks.found.any():
        raise FaceNotFound(0, f"no face in any of {len(frames)} frames")
    return Seen(frames, landmarks, face_curves(landmarks.points))


def mouth_numbers(reference: FaceCurves, generated: FaceCurves, max_lag: int) -> dict[str, float]:
    """Does the mouth open when the true one does?"""
    found = mouth_correlation(reference.mouth, generated.mouth, max_lag)
    return {"mouth_r": found.r, "mouth_lag_frames": found.lag, "mouth_r_lag0": found.r_lag0}


def sync_numbers(model: SpeechToMouth, speech: np.ndarray, wrong_speech: np.ndarray, generated: FaceCurves,
                 reference: FaceCurves) -> dict[str, float]:
    """`mouth_sync` of the generated video, with its own and with another speech, and of the true video."""
    own, frames = mouth_sync(model.predict(speech), generated.mouth), len(wrong_speech)
    wrong = mouth_sync(model.predict(wrong_speech), generated.mouth[:frames])
    true = mouth_sync(model.predict(speech), reference.mouth)
    return {"mouth_sync_c": own.confidence, "mouth_sync_offset_frames": abs(own.offset),
            "mouth_sync_c_wrong_speech": wrong.confidence, "mouth_sync_c_reference": true.confidence}


def identity_vectors(video: Seen, judges: Judges, stride: int) -> np.ndarray:
    """Unit vectors [n, D] of every `stride`-th frame with a face; raises ValueError for fewer than two."""
    picked = _with_face(video, stride)
    if len(picked) < 2:
        raise ValueError(f"{len(picked)} of the frames looked at has a face")
    faces = np.stack([align(video.frames[t], video.landmarks.points[t]) for t in picked])
    return judges.identity(faces)


def expression_probabilities(video: Seen, judges: Judges, stride: int) -> np.ndarray:
    """Mean class probabilities [labels] over every `stride`-th frame with a face and over the box sizes."""
    faces = [face_box(video.frames[t], video.landmarks.points[t], scale)
             for t in _with_face(video, stride) for scale in BOX_SCALES]
    return judges.expression(faces).mean(0)


def picture_numbers(reference: np.ndarray, generated: np.ndarray, judges: Judges,
                    stride: int) -> tuple[float, np.ndarray, np.ndarray]:
    """Mean LPIPS, and frame features [n, D] of reference and generated frames, both at the reference's size."""
    true = reference[::stride]
    made = np.stack([_resized(frame, true.shape[2], true.shape[1]) for frame in generated[::stride]])
    return float(judges.lpips(true, made).mean()), judges.features(true), judges.features(made)


def pose_numbers(angles_deg: np.ndarray) -> dict[str, float]:
    """Range and jitter of (pitch, yaw, roll) [T, 3] in degrees."""
    pitch, yaw, _ = value_range(angles_deg)
    return {"pitch_range_deg": float(pitch), "yaw_range_deg": float(yaw),
            "yaw_jitter_deg": float(jitter(angles_deg)[1])}


def blinks_per_min(curves: FaceCurves, fps: float) -> float:
    """Blinks of a clip, as a rate."""
    return count_blinks(curves.eyes, fps) / (len(curves) / fps / 60)


def _with_face(video: Seen, stride: int) -> np.ndarray:
    found = np.flatnonzero(video.landmarks.found)
    return found[::stride]


def _resized(frame: np.ndarray, width: int, height: int) -> np.ndarray:
    if frame.shape[:2] == (height, width):
        return frame
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
