"""SyncNet and the face detector that its crop is defined on: whether lips and sound belong together.

One rule for all films: the box is that of SCRFD, up to the hairline, in the place of S3FD's, which the published
numbers were made with; whatever found the face before, preprocessing and evaluation ask this.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from models.face.face import FaceDetector, detector_box
from models.face.tracks import boxes_per_frame, link, speaker
from models.motion.face_space import FaceNotFound
from pipeline.components.detector import DetectorFiles, make_detector

DETECTOR_PX, EVERY = 320, 5   # of the picture that is looked at; frames between looks, boxes between are interpolated


def face_boxes(frames: np.ndarray, detector: FaceDetector) -> np.ndarray:
    """The detector's box around the face of a film [T, H, W, 3] in every frame [T, 4], in pixels; raises FaceNotFound
    where no look shows one."""
    at = range(0, len(frames), EVERY)
    looks = [detector.detect(frames[index]) for index in at]
    track = speaker(link(looks), len(looks), None)
    if track is None:
        raise FaceNotFound(0, f"SyncNet's detector finds no face in any of {len(looks)} frames")
    return detector_box(boxes_per_frame(track, list(at), len(frames)))


class LipSync:
    """SyncNet's verdict on a film. `vectors`: its two networks (`models.judges.syncnet.SyncVectors`)."""

    def __init__(self, vectors: Any, detector: FaceDetector):
        self._vectors, self._detector = vectors, detector

    def __call__(self, frames: np.ndarray, waveform: np.ndarray):
        """frames [T, H, W, 3] uint8 RGB at 25 fps, T > 5; waveform [640 T] at 16 kHz -> its `SyncScore`. Raises
        FaceNotFound."""
        from models.judges.sync_score import (
            face_crops,
            mfcc,  # here: scipy.signal costs every worker's start a second
            sync_score,
        )

        lips = self._vectors.lips(face_crops(frames, face_boxes(frames, self._detector)))
        return sync_score(lips, self._vectors.sound(mfcc(waveform), len(frames)))


def load_lip_sync(model: Path, detector: Path, device: str = "cpu") -> LipSync:
    """From the published weights (`syncnet_v2.model`) and SCRFD's, both on `device`."""
    from models.judges.syncnet import SyncVectors

    faces = make_detector("insightface", DETECTOR_PX, DetectorFiles(detector), device)
    return LipSync(SyncVectors(model, device), faces)
