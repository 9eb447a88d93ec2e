"""Whose mouth: the people of a film, each followed through its shots.

Within a shot faces of successive looks are joined by place (`models.face.tracks`), over cuts by identity vectors, so
that a person keeps the number. Numbers begin at 1 with the face that takes most of the film.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from models.face.face import Face, FaceDetector
from models.face.tracks import Track, boxes_per_frame, link
from pipeline.dub.reader import DubError, SmallPicture
from pipeline.media.video import Colours

DETECT_EVERY = 4         # frames between looks of the detector; every shot begins with one
CUT = 0.45               # colour distance of neighbouring frames, as preprocessing has it
SAME_PERSON = 0.4        # cosine of identity vectors over a cut
RIVAL = 0.25             # a person with this share of the first one's area and time could be meant as well

Identity = Callable[[np.ndarray, Face], np.ndarray]   # picture [H, W, 3] and a face in it -> unit vector [D]


@dataclass(frozen=True)
class Shot:
    """Frames [first, end) between two cuts."""

    first: int
    end: int


@dataclass(eq=False)   # one is another only if it is the same one
class Person:
    """One person: boxes [n, 4] in pixels of the film by shot, one a frame from `starts[shot]` on."""

    vector: np.ndarray
    starts: dict[int, int] = field(default_factory=dict)
    boxes: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def weight(self) -> float:
        """Area times frames."""
        return float(sum(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).sum() for boxes in self.boxes.values()))


@dataclass(frozen=True)
class Cast:
    """The times of a film's frames, its shots, its people in the order of their numbers; a small picture and the boxes
    in it by which they are told apart."""

    times: tuple[Fraction, ...]
    rate: Fraction
    size: tuple[int, int]
    shots: tuple[Shot, ...]
    people: tuple[Person, ...]
    sample: np.ndarray
    sample_boxes: tuple[tuple[int, np.ndarray], ...]   # number, box in pixels of the sample
    colours: Colours


def find_cast(pictures: Iterable[SmallPicture], detector: FaceDetector, identity: Identity) -> Cast:
    """Look at all frames of a film; raises DubError for a film without frames."""
    times: list[Fraction] = []
    cuts, looks, last, sample, most = [0], [], None, None, 0
    for small in pictures:
        if last is not None and small.size != last.size:
            raise DubError("the film's picture changes its size")
        frame, last = len(times), small
        times.append(small.time)
        if frame and small.change > CUT:
            cuts.append(frame)
        if (frame - cuts[-1]) % DETECT_EVERY:
            continue
        faces = detector.detect(small.picture)
        looks.append((frame, [(_scale(face, small.scale), identity(small.picture, face)) for face in faces]))
        if sample is None or len(faces) > most:
            sample, most = (frame, small), len(faces)
    if last is None or sample is None:
        raise DubError("the film has no frame")
    shots = tuple(Shot(*edges) for edges in itertools.pairwise([*cuts, len(times)]))
    people = _people(shots, looks)
    frame, small = sample
    boxes = tuple((number, box / small.scale) for number, person in enumerate(people, 1)
                  if (box := box_at(person, shots, frame)) is not None)
    return Cast(tuple(times), last.rate, last.size, shots, tuple(people), small.picture, boxes, last.colours)


def box_at(person: Person, shots: tuple[Shot, ...], frame: int) -> np.ndarray | None:
    """Where the person is in a frame [4]; None where it is not seen."""
    for index in person.boxes:
        at = frame - person.starts[index]
        if shots[index].first <= frame < shots[index].end and 0 <= at < len(person.boxes[index]):
            return person.boxes[index][at]
    return None


def choose_person(cast: Cast, number: int | None) -> Person:
    """The person of `number`, else the one that takes most of the film where no other comes near; raises DubError."""
    if not cast.people:
        raise DubError("no face is found in the film")
    if number is not None and not 1 <= number <= len(cast.people):
        raise DubError(f"face {number} was asked for, but the film has {len(cast.people)}")
    return cast.people[0 if number is None else number - 1]


def rivals(cast: Cast) -> bool:
    """Whether nobody can know which person is meant."""
    return len(cast.people) > 1 and cast.people[1].weight >= RIVAL * cast.people[0].weight


def _people(shots: tuple[Shot, ...], looks: list[tuple[int, list[tuple[Face, np.ndarray]]]]) -> list[Person]:
    people: list[Person] = []
    for index, shot in enumerate(shots):
        seen = [(frame, found) for frame, found in looks if shot.first <= frame < shot.end]
        vectors = {id(face): vector for _, found in seen for face, vector in found}
        free = list(people)     # one person has one track in a shot
        tracks = link([[face for face, _ in found] for _, found in seen])
        for track in sorted(tracks, key=lambda track: -len(track.looks)):
            vector = np.sum([vectors[id(face)] for face in track.faces], axis=0)
            vector = vector / max(float(np.linalg.norm(vector)), 1e-9)
            person = max(free, key=lambda one: float(one.vector @ vector), default=None)
            if person is None or person.vector @ vector < SAME_PERSON:
                people.append(person := Person(vector))
            else:
                free.remove(person)
            _add(person, index, shot, track, [frame for frame, _ in seen])
    return sorted(people, key=lambda person: -person.weight)


def _add(person: Person, index: int, shot: Shot, track: Track, frames: list[int]) -> None:
    """The boxes of a track from its first look to its last, or to the shot's end where no other look comes."""
    first, last = frames[track.looks[0]], frames[track.looks[-1]]
    last = shot.end - 1 if track.looks[-1] == len(frames) - 1 else last
    person.starts[index] = first
    person.boxes[index] = boxes_per_frame(track, [frame - first for frame in frames], last - first + 1)


def _scale(face: Face, scale: float) -> Face:
    return Face(face.box * scale, face.score, face.points * scale,
                None if face.outline is None else face.outline * scale)
