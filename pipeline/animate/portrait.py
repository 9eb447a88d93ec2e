"""One face to animate among those found in a portrait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from models.face.face import Face, FaceDetector, roll_deg
from pipeline.animate.decoded import PortraitError
from pipeline.animate.uploads import Refused, decoded_portrait

TURNED = {1: "90 degrees to the left", 2: "180 degrees", 3: "90 degrees to the right"}
YELLOW = (255, 210, 0)
RIVAL_AREA = 0.25           # a second face of this share of the first one's area could be meant as well


class SeveralFacesError(PortraitError):
    """More than one face could be meant, and none was chosen."""


def read_portrait(source: Path | str | bytes | np.ndarray) -> np.ndarray:
    """A picture as `pipeline.animate.picture.read_picture` reads it, files in a process of their own -> RGB uint8
    [H, W, 3]; raises PortraitError."""
    if isinstance(source, np.ndarray):
        from pipeline.animate.picture import read_picture

        return read_picture(source)
    try:
        return decoded_portrait(source)
    except Refused as error:
        said = error.detail if error.code == "portrait" else f"the portrait cannot be decoded: {error.detail}"
        raise PortraitError(said) from error


@dataclass(frozen=True)
class Found:
    """A picture, turned where its face lay on its side, and its faces in the order of their numbers."""

    picture: np.ndarray       # [H, W, 3]
    faces: tuple[Face, ...]
    notes: tuple[str, ...] = ()


def find_faces(picture: np.ndarray, detector: FaceDetector) -> Found:
    """Faces of a picture [H, W, 3]; it is turned by quarters where the largest one does not stand upright, or where
    there is none as it lies."""
    faces = tuple(by_size(detector.detect(picture)))
    turns = round(roll_deg(faces[0].points) / 90) % 4 if faces else 0
    if faces and turns == 0:
        return Found(picture, faces)
    for quarter in [turns] if faces else [1, 3, 2]:
        turned = np.ascontiguousarray(np.rot90(picture, quarter))
        again = tuple(by_size(detector.detect(turned)))
        if again and round(roll_deg(again[0].points) / 90) % 4 == 0:
            return Found(turned, again, (f"the portrait's face lies on its side: it is turned by {TURNED[quarter]}",))
    return Found(picture, faces)


def by_size(faces: Sequence[Face]) -> list[Face]:
    """Faces in the order of their numbers, which begin at 1: largest first."""
    return sorted(faces, key=lambda face: (-_area(face), *face.box))


def choose_face(faces: Sequence[Face], number: int | None = None) -> Face:
    """The face to animate of those sorted by size: the largest, or the one of `number`. Raises PortraitError."""
    if not faces:
        raise PortraitError("no face found in the portrait: use a picture with one clear, roughly frontal face, at "
                            "least a tenth of the picture's height")
    if number is not None and not 1 <= number <= len(faces):
        raise PortraitError(f"face {number} was asked for, but the portrait has {len(faces)}")
    return faces[0 if number is None else number - 1]


def rivals(faces: Sequence[Face]) -> bool:
    """Whether another face is nearly as large as the largest, so that nobody knows which one is meant."""
    return len(faces) > 1 and _area(faces[1]) >= RIVAL_AREA * _area(faces[0])


def draw_numbers(image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
    """A copy of the picture [H, W, 3] with the box and number of every face (sorted by size)."""
    return draw_boxes(image, [(number, face.box) for number, face in enumerate(faces, 1)])


def draw_boxes(image: np.ndarray, boxes: Sequence[tuple[int, np.ndarray]]) -> np.ndarray:
    """A copy of the picture [H, W, 3] with numbered boxes [4] in its pixels."""
    from pipeline.media.lettering import draw_outlined

    drawn = np.ascontiguousarray(image).copy()
    thick = max(2, max(image.shape[:2]) // 300)
    for number, box in boxes:
        left, top, right, bottom = box.round().astype(int).tolist()
        cv2.rectangle(drawn, (left, top), (right, bottom), YELLOW, thick)
        draw_outlined(drawn, str(number), left + thick, top - 14 * thick, 10 * thick, YELLOW)
    return drawn


def _area(face: Face) -> float:
    return float(np.prod(face.box[2:] - face.box[:2]))
