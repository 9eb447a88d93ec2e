"""Measures of a piece and the thresholds they are held against. Deciding needs the measures alone, no decoding."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from pipeline.config import Preprocess


def blur(crop: np.ndarray) -> float:
    """Variance of the Laplacian of a crop [H, W, 3] uint8 RGB; low for blurred pictures."""
    return float(cv2.Laplacian(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def brightness(crop: np.ndarray) -> float:
    """Mean luma 0-255."""
    return float(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).mean())


def fails(params: Preprocess) -> list[tuple[str, str, str, Callable[[float], bool], str]]:
    """(stage, code, measure, is it bad, what is wanted), in the order in which they are asked."""
    return [
        ("face", "no_face", "detection_share", lambda v: v <= 0, "a face"),
        ("face", "face_lost", "detection_share", lambda v: v < params.min_detection_share,
         f"at least {params.min_detection_share:g} of the looks"),
        ("face", "small_face", "face_px", lambda v: v < params.min_face_px, f"at least {params.min_face_px:g} px"),
        ("face", "turned_away", "yaw_p95_deg", lambda v: v > params.max_yaw_p95_deg,
         f"at most {params.max_yaw_p95_deg:g} degrees"),
        ("quality", "blurred", "blur", lambda v: v < params.min_blur, f"at least {params.min_blur:g}"),
        ("quality", "too_dark", "brightness", lambda v: v < params.min_brightness,
         f"at least {params.min_brightness:g}"),
        ("quality", "too_bright", "brightness", lambda v: v > params.max_brightness,
         f"at most {params.max_brightness:g}"),
        ("speech", "no_speech", "speech_share", lambda v: v < params.min_speech_share,
         f"at least {params.min_speech_share:g} of the time"),
    ]


def verdict(measures: dict[str, float | None], params: Preprocess) -> dict[str, object] | None:
    """The first threshold that the known measures miss, as columns of the clip table; None: the clip is good."""
    for stage, code, name, is_bad, wanted in fails(params):
        value = measures.get(name)
        if value is not None and is_bad(value):
            return {"stage": stage, "code": code, "detail": f"{name} {value:.4g}, wanted {wanted}", "value": value}
    return None
