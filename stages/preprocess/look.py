"""The first pass over a clip: where shots change and which faces are where, frame by frame.

Pictures are kept for cutting while they fit the memory they may take, so that most clips are decoded once.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from models.face.face import Face, FaceDetector
from models.face.shots import Look, distance
from pipeline.media.container import MediaError, open_media
from pipeline.media.video import Upright, frame_duration, steady, timed_frames, video_stream

SHOT_PX = 64    # longer side of the picture whose colours are compared


@dataclass(frozen=True)
class Seen:
    """What the first pass found, on the output's frame grid."""

    end_s: float                     # of the last frame, from zero
    count: int                       # output frames
    distances: list[float]           # [count - 1] colour distance of neighbours
    looks: dict[int, list[Face]]     # frame -> faces, in pixels of the upright picture
    frames: list[av.VideoFrame] | None  # [count] the pictures, decoded; None where they take too much memory
    upright: Upright


class KeptFrames:
    """Decoded pictures of the output frames, up to `limit_bytes` of them; then none."""

    def __init__(self, limit_bytes: float):
        self._left = limit_bytes
        self.frames: list[av.VideoFrame] | None = []

    def add(self, frame: av.VideoFrame) -> None:
        if self.frames is None:
            return
        if not self.frames or self.frames[-1] is not frame:  # a repeated picture takes nothing
            self._left -= sum(plane.buffer_size for plane in frame.planes)
        self.frames.append(frame)
        if self._left < 0:
            self.frames = None


def look(path: Path, zero_s: Fraction, length_s: float, fps: int, detector: FaceDetector, every: int, size_px: int,
         seek: bool, keep_bytes: float) -> Seen:
    """Decode from `zero_s` for at most `length_s` and look for faces on every `every`-th frame; raises MediaError."""
    distances: list[float] = []
    looks: dict[int, list[Face]] = {}
    kept = KeptFrames(keep_bytes)
    end, count, before, shown = Fraction(0), 0, None, None
    with open_media(path) as container:
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
            kept.add(frame)
            if index % every == 0:
                looks[index] = _faces(upright.small(frame, size_px), max(upright.size(frame)), detector)
    if count == 0:
        raise MediaError("decode", "no_frames", "no frame lies in the clip's time span", 0.0)
    return Seen(min(float(end), length_s), count, distances, looks, kept.frames, upright)


def _faces(picture, longest_px: int, detector: FaceDetector) -> list[Face]:
    """Faces in a picture [H, W, 3] that was made small, in the pixels of the large one, whose longer side is given."""
    scale = longest_px / max(picture.shape[:2])
    return [Face(face.box * scale, face.score, face.points * scale) for face in detector.detect(picture)]
