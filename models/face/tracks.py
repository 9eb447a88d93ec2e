"""Detections of single frames -> tracks of one face each; the speaker's track; its box in every frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.face.face import Face

MAX_DISTANCE = 1.0     # between looks, in sides of the face
MAX_SIZE_RATIO = 2.0
MAX_MISSED_LOOKS = 5
MIN_PERSISTENCE = 0.5  # share of looks below which a track is not the speaker's if another one is above


@dataclass
class Track:
    """One face over the looks in which it was found."""

    looks: list[int] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Distance of two boxes' [4] centres in mean sides; infinite where one is more than twice the other's size."""
    sides = np.array([np.max(a[2:] - a[:2]), np.max(b[2:] - b[:2])])
    if sides.max() > MAX_SIZE_RATIO * sides.min():
        return float("inf")
    return float(np.linalg.norm((a[:2] + a[2:] - b[:2] - b[2:]) / 2) / sides.mean())


def link(looks: list[list[Face]]) -> list[Track]:
    """Join faces of successive looks that are nearest; a face may be missed for a few looks.

    By distance and not by overlap: a small face of a lively speaker leaves its own box within a fifth of a second.
    """
    tracks: list[Track] = []
    for look, faces in enumerate(looks):
        active = [t for t in tracks if look - t.looks[-1] <= MAX_MISSED_LOOKS + 1]
        pairs = sorted((distance(t.faces[-1].box, face.box), i, j)
                       for i, t in enumerate(active) for j, face in enumerate(faces))
        used_tracks, used_faces = set(), set()
        for apart, i, j in pairs:
            if apart > MAX_DISTANCE or i in used_tracks or j in used_faces:
                continue
            used_tracks.add(i)
            used_faces.add(j)
            active[i].looks.append(look)
            active[i].faces.append(faces[j])
        tracks.extend(Track([look], [face]) for j, face in enumerate(faces) if j not in used_faces)
    return tracks


def speaker(tracks: list[Track], looks: int, target: np.ndarray | None) -> Track | None:
    """The track nearest to `target` [2] (px, at the start), else the one with the largest area x persistence."""
    if not tracks:
        return None
    lasting = [t for t in tracks if len(t.looks) >= MIN_PERSISTENCE * looks] or tracks
    if target is not None:
        return min(lasting, key=lambda t: float(np.linalg.norm((t.faces[0].box[:2] + t.faces[0].box[2:]) / 2 - target)))
    return max(lasting, key=lambda t: _median_area(t) * len(t.looks))


def _median_area(track: Track) -> float:
    return float(np.median([np.prod(face.box[2:] - face.box[:2]) for face in track.faces]))


def boxes_per_frame(track: Track, look_frames: list[int], count: int) -> np.ndarray:
    """Box of every frame [count, 4], linear between looks and constant outside the first and last one."""
    at = [look_frames[look] for look in track.looks]
    boxes = np.array([face.box for face in track.faces])
    return np.stack([np.interp(np.arange(count), at, boxes[:, side]) for side in range(4)], axis=1)
