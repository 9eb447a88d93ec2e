"""A person's style of movement, from a video of them: how far the head goes and how often the eyes blink."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.face.face import FaceDetector
from models.motion.blinks import count_blinks
from models.motion.clock import FPS
from models.motion.face_space import FaceSpace
from pipeline.animate.direction import BLINK
from pipeline.animate.pose import DrivingError, follow_driver, relative_pose, usual_pose

LOOK_S = 60.0    # of the video; more says little more
MIN_S = 2.0      # less says nothing


@dataclass(frozen=True)
class Style:
    """Eq. 6's mean and deviation [7] of the video's pose, as put on a portrait, and its blinks a minute (None: the face
    space knows no lids); what was noticed about the video."""

    mean: np.ndarray
    std: np.ndarray
    blinks_per_min: float | None
    notes: tuple[str, ...]


def style_of(video: Path | str | bytes, source_rho: np.ndarray, space: FaceSpace, detector: FaceDetector) -> Style:
    """The style of the first `LOOK_S` of a video for a portrait with pose [7].

    As where a video's pose is followed, its usual pose becomes the portrait's own; what its mean differs from that is
    style. Raises DrivingError.
    """
    face = follow_driver(video, round(LOOK_S * FPS), FPS, space, detector)
    if len(face.rho) < MIN_S * FPS:
        raise DrivingError(f"the video to be like lasts {len(face.rho) / FPS:.1f} s: {MIN_S:g} s are the least that "
                           "show how somebody moves")
    rho = relative_pose(face.rho, source_rho, usual_pose(face.rho)).astype(np.float64)
    return Style(rho.mean(axis=0), rho.std(axis=0), _rate(face.lids), face.notes)


def _rate(lids: np.ndarray) -> float | None:
    seen = lids[np.isfinite(lids)]
    if not len(seen) or BLINK.most is None:
        return None
    return float(np.clip(count_blinks(seen, FPS) / (len(seen) / FPS / 60), 0, BLINK.most))
