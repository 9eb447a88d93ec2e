"""What dubbing needs of a face space, and the network that knows people again: made here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from models.face.face import ALIGNED_PX, TEMPLATE_PX, Face, similarity_2d
from models.motion.face_space import FaceSpace
from models.motion.film_space import FilmSpace
from pipeline.weights.table import weight_path

if TYPE_CHECKING:
    from models.liveportrait.space import LivePortraitFaceSpace


IDENTITY = "mobilefacenet"   # of the weights table: who is who in a film


def film_space(space: FaceSpace) -> FilmSpace:
    """The film's side of a face space; raises ValueError for one that has none."""
    from models.landmark.space import LandmarkFaceSpace

    if isinstance(space, LandmarkFaceSpace):
        from models.landmark.film import LandmarkFilm

        return LandmarkFilm(space)
    if space.name == "liveportrait":
        from models.liveportrait.film import LivePortraitFilm

        return LivePortraitFilm(cast("LivePortraitFaceSpace", space))
    raise ValueError(f"films cannot be dubbed in the face space {space.name}")


def identity_of_faces() -> Callable[[np.ndarray, Face], np.ndarray]:
    """A picture [H, W, 3] and a face in it -> its unit vector; raises WeightsError."""
    from models.judges.identity import IdentityVectors

    network = IdentityVectors(weight_path(IDENTITY))

    def vector(picture: np.ndarray, face: Face) -> np.ndarray:
        matrix = similarity_2d(face.points, TEMPLATE_PX)
        return network(cv2.warpAffine(picture, matrix, (ALIGNED_PX, ALIGNED_PX), flags=cv2.INTER_LINEAR)[None])[0]

    return vector
