"""Numbers of one video against its reference. The video may come from anyone: nothing here knows a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from evaluation.metrics.curves import FaceCurves, face_curves
from evaluation.metrics.faces import BOX_SCALES, align, face_box, undo_aspect
from evaluation.metrics.judges import Judges
from evaluation.metrics.lip_sync import SpeechToMouth, mouth_sync
from evaluation.metrics.motion import (
    audio_beats,
    beat_alignment,
    chance_beat_alignment,
    jitter,
    motion_beats,
    mouth_correlation,
    value_range,
)
from models.face.landmarker import Landmarks
from models.motion.blinks import count_blinks
from models.motion.face_space import FaceNotFound

SAMPLES_PER_FRAME, SYNC_WINDOW = 640, 5


@dataclass(frozen=True)
class Seen:
    """A video [T, H, W, 3] and what the landmarker saw in it."""

    frames: np.ndarray
    landmarks: Landmarks
    curves: FaceCurves

    @property
    def points(self) -> np.ndarray:
        """Landmarks [T, 478, 3] in half widths of the picture."""
        return undo_aspect(self.landmarks.points, self.frames.shape[2], self.frames.shape[1])


def look_at(frames: np.ndarray, judges: Judges) -> Seen:
    """Find the face in every frame; raises FaceNotFound where there is none at all."""
    landmarks = judges.landmarks(frames)
    if not landmarks.found.any():
        raise FaceNotFound(0, f"no face in any of {len(frames)} frames")
    return Seen(frames, landmarks, face_curves(undo_aspect(landmarks.points, frames.shape[2], frames.shape[1])))


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


def identity_numbers(reference: Seen, made: Seen, judges: Judges,
                     stride: int) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """CSIM by every identity network, and vectors `<name>.portrait`, `<name>.made` (mean) for comparisons of people.

    `<name>`: the reference's first frame against the generated frames; `<name>_reference`: against its own frames;
    `<name>_same_time`: generated against true frames of the same time. Raises ValueError for fewer than two frames
    with a face in both.
    """
    both = np.flatnonzero(made.landmarks.found & reference.landmarks.found)[::stride]
    if len(both) < 2:
        raise ValueError(f"{len(both)} of the frames looked at has a face in both videos")
    numbers: dict[str, float] = {}
    vectors: dict[str, np.ndarray] = {}
    faces = [np.stack([align(video.frames[t], video.landmarks.points[t]) for t in both]) for video in (reference, made)]
    for name, network in judges.identity.items():
        true, ours = network(faces[0]), network(faces[1])
        numbers |= {name: float((ours @ true[0]).mean()), f"{name}_reference": float((true[1:] @ true[0]).mean()),
                    f"{name}_same_time": float((ours * true).sum(1).mean())}
        vectors |= {f"{name}.portrait": true[0], f"{name}.made": ours.mean(0)}
    return numbers, vectors


def expression_probabilities(video: Seen, judges: Judges, stride: int) -> np.ndarray:
    """Class probabilities [n, labels] of every `stride`-th frame with a face, once for every box size.

    Raises ValueError where no classifier was loaded.
    """
    if judges.expression is None:
        raise ValueError("no classifier of expressions was loaded: name emo_facex in evaluate.metrics")
    return judges.expression(faces_of(video, stride, BOX_SCALES))


def faces_of(video: Seen, stride: int, scales: tuple[float, ...]) -> list[np.ndarray]:
    """Square cuts of every `stride`-th frame with a face, once for every box size."""
    return [face_box(video.frames[t], video.landmarks.points[t], scale)
            for t in np.flatnonzero(video.landmarks.found)[::stride] for scale in scales]


def picture_numbers(reference: np.ndarray, made: np.ndarray, judges: Judges,
                    stride: int) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """LPIPS, and features of both for every Frechet distance (`<name>.true`, `<name>.made`), at the reference's size.

    Frame features are taken of every `stride`-th frame, clip features (FVD) of all.
    """
    height, width = reference.shape[1:3]
    sized = np.stack([_resize(frame, width, height) for frame in made])
    numbers: dict[str, float] = {}
    features: dict[str, np.ndarray] = {}
    if judges.lpips is not None:
        numbers["lpips_alexnet"] = float(judges.lpips(reference[::stride], sized[::stride]).mean())
    for networks, step in ((judges.features, stride), (judges.clips, 1)):
        for name, network in networks.items():
            features |= {f"{name}.true": network(reference[::step]), f"{name}.made": network(sized[::step])}
    return numbers, features


def syncnet_numbers(video: Seen, waveform: np.ndarray, judges: Judges, suffix: str = "") -> dict[str, float]:
    """Sync-C, Sync-D and offset by SyncNet; waveform [N] at 16 kHz. Raises ValueError for a video of five frames or
    fewer, FaceNotFound where its detector finds no face."""
    if judges.sync is None or len(waveform) == 0:
        return {}
    count = min(len(video.frames), len(waveform) // SAMPLES_PER_FRAME)
    if count <= SYNC_WINDOW:
        raise ValueError(f"{count} frames are too few for SyncNet")
    found = judges.sync(video.frames[:count], waveform)
    return {f"sync_c{suffix}": found.confidence, f"sync_d{suffix}": found.distance,
            f"sync_offset_frames{suffix}": abs(found.offset)}


def pose_numbers(angles_deg: np.ndarray) -> dict[str, float]:
    """Range and jitter of (pitch, yaw, roll) [T, 3] in degrees."""
    pitch, yaw, _ = value_range(angles_deg)
    return {"pitch_range_deg": float(pitch), "yaw_range_deg": float(yaw),
            "yaw_jitter_deg": float(jitter(angles_deg)[1])}


def beat_numbers(waveform: np.ndarray, rate_hz: int, fps: int, angles_deg: np.ndarray) -> dict[str, float | None]:
    """Alignment of sound onsets with turns of the head [T, 3] in degrees, and what coincidence scores."""
    sound, head = audio_beats(waveform, rate_hz, fps), motion_beats(angles_deg, fps)
    return {"beat_alignment": beat_alignment(sound, head, fps),
            "beat_alignment_chance": chance_beat_alignment(sound, head, len(angles_deg), fps)}


def of_the_truth(numbers: Mapping[str, float | None]) -> dict[str, float | None]:
    """The same numbers of a true video, by the names under which they stand beside a generated one's."""
    return {f"{name}_reference": value for name, value in numbers.items()}


def blinks_per_min(curves: FaceCurves, fps: float) -> float:
    """Blinks of a clip, as a rate."""
    return count_blinks(curves.eyes, fps) / (len(curves) / fps / 60)


def _resize(frame: np.ndarray, width: int, height: int) -> np.ndarray:
    if frame.shape[:2] == (height, width):
        return frame
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
