"""The thresholds that a piece's measures are held against. Deciding needs the stored measures alone, no decoding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from models.face.face import Face
from pipeline.core.data_params import Thresholds


def blur(crop: np.ndarray) -> float:
    """Variance of the Laplacian of a crop [H, W, 3] uint8 RGB; low for blurred pictures."""
    return float(cv2.Laplacian(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def brightness(crop: np.ndarray) -> float:
    """Mean luma 0-255."""
    return float(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).mean())


def score_p05(faces: list[Face]) -> float:
    """5th percentile of the detector's certainty over a track: a hand or a microphone before a face lowers it."""
    return float(np.percentile([face.score for face in faces], 5))


def inside_share(faces: list[Face], width_px: int, height_px: int) -> float:
    """5th percentile over a track of the share of the face's box that lies inside the picture."""
    return float(np.percentile([_inside(face.box, width_px, height_px) for face in faces], 5))


def _inside(box: np.ndarray, width_px: int, height_px: int) -> float:
    sides = np.clip(box[2:], 0, [width_px, height_px]) - np.clip(box[:2], 0, [width_px, height_px])
    return float(np.prod(sides) / np.prod(box[2:] - box[:2]))


@dataclass(frozen=True)
class Threshold:
    """One limit on one measure (a column of the clip table), and the reason that missing it is."""

    stage: str
    code: str
    measure: str
    limit: float
    unit: str = ""
    is_maximum: bool = False
    is_strict: bool = False  # the limit itself misses, too

    def misses(self, value: float) -> bool:
        if self.is_strict and value == self.limit:
            return True
        return value > self.limit if self.is_maximum else value < self.limit

    @property
    def wanted(self) -> str:
        words = "more than" if self.is_strict else "at most" if self.is_maximum else "at least"
        return f"{words} {self.limit:g}{self.unit and ' ' + self.unit}"


def thresholds(section: Thresholds, singing: bool) -> list[Threshold]:
    """Those of one corpus of singers or speakers, in the order in which they are asked."""
    offset = section.max_sync_offset_frames
    # the voice-activity network was made for speech: of a singer's held vowels it knows few
    voice = section.min_singing_share if singing else section.min_speech_share
    return [
        Threshold("face", "no_face", "detection_share", 0.0, "of the looks", is_strict=True),
        Threshold("face", "face_lost", "detection_share", section.min_detection_share, "of the looks"),
        Threshold("face", "small_face", "face_px", section.min_face_px, "px"),
        Threshold("face", "turned_away", "yaw_p95_deg", section.max_yaw_p95_deg, "degrees", is_maximum=True),
        Threshold("face", "on_its_side", "roll_deg", section.max_roll_deg, "degrees", is_maximum=True),
        Threshold("face", "cut_off", "inside_share", section.min_inside_share, "of the face"),
        Threshold("face", "occluded", "score_p05", section.min_score_p05),
        Threshold("quality", "blurred", "blur", section.min_blur),
        Threshold("quality", "too_dark", "brightness", section.min_brightness),
        Threshold("quality", "too_bright", "brightness", section.max_brightness, is_maximum=True),
        Threshold("speech", "no_speech", "speech_share", voice, "of the time"),
        Threshold("speech", "not_in_sync", "sync_confidence", section.min_sync_confidence),
        Threshold("speech", "sound_early", "sync_offset_frames", offset, "frames", is_maximum=True),
        Threshold("speech", "sound_late", "sync_offset_frames", -offset, "frames"),
    ]


def verdict(measures: Mapping[str, float | None], section: Thresholds, singing: bool) -> dict[str, object] | None:
    """The first threshold that the known measures miss, as columns of the clip table; None: the clip is good."""
    for threshold in thresholds(section, singing):
        value = measures.get(threshold.measure)
        if value is not None and threshold.misses(value):
            return {"stage": threshold.stage, "code": threshold.code, "value": value,
                    "detail": f"{threshold.measure} {value:.4g}, wanted {threshold.wanted}"}
    return None
