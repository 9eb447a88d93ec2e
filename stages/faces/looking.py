"""The first pass over a clip: where shots change and which faces are where, frame by frame, in small memory."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from models.detectors import Face, FaceDetector
from stages.media.errors import MediaError
from stages.media.shots import Look, distance
from stages.media.steady import steady
from stages.media.video import Upright, frame_duration, opened, timed_frames, upright_size, video_stream

SHOT_PX = 64    # longer side of the picture whose colours are compared
FIRST_PX = 128  # of the thumbnail of a clip without a face


@dataclass(frozen=True)
class Seen:
    """What the first pass found, on the output's frame grid."""

    end_s: float                     # of the last frame, from zero
    count: int                       # output frames
    distances: list[float]           # [count - 1] colour distance of neighbours
    looks: dict[int, list[Face]]     # frame -> faces, in pixels of the upright picture
    first: np.ndarray                # [h, w, 3] the first picture, small


def look(path: Path, zero_s: Fraction, length_s: float, fps: int, detector: FaceDetector, every: int, size_px: int,
         seek: bool) -> Seen:
    """Decode from `zero_s` for at most `length_s` and look for faces on every `every`-th frame; raises MediaError."""
    distances: list[float] = []
    looks: dict[int, list[Face]] = {}
    end, count, first, before, shown = Fraction(0), 0, None, None, None
    with opened(path) as container:
        stream = video_stream(container)
        upright = Upright(stream)
        timed = timed_frames(container, stream, zero_s if seek else None)
        relative = ((time - zero_s, frame) for time, frame in timed)
        for index, (time, frame) in steady(
                ((t, (t, f)) for t, f in itertools.takewhile(lambda item: item[0] < length_s, relative)), fps):
            if shown is not frame:
                colours, shown = Look.at(upright.small(frame, SHOT_PX, "FAST_BILINEAR")), frame
            if before is not None:
                distances.append(distance(before, colours))
            before, count = colours, index + 1
            end = time + frame_duration(frame, stream)
            if index % every == 0:
                looks[index] = _faces(upright.small(frame, size_px), max(upright_size(frame, stream)), detector)
            first = upright.small(frame, FIRST_PX) if first is None else first
    if first is None:
        raise MediaError("decode", "no_frames", "no frame lies in the clip's time span", 0.0)
    return Seen(min(float(end), length_s), count, distances, looks, first)


def _faces(picture: np.ndarray, longest_px: int, detector: FaceDetector) -> list[Face]:
    """Faces in a picture that was made small, in the pixels of the large one, whose longer side is given."""
    scale = longest_px / max(picture.shape[:2])
    return [Face(face.box * scale, face.score, face.points * scale) for face in detector.detect(picture)]
