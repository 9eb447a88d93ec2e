"""A face space and a motion generator that belong together: a square crop and speech features in, frames out.

`animate` and the evaluation both make their films here, so that what is measured is what users get.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.generation.directing import direct
from models.generation.generator import MotionGenerator
from models.generation.request import Curves, Pose, Request
from models.motion.blinks import with_blinks
from models.motion.face_space import Appearance, FaceSpace
from models.motion.motion import Motion


@dataclass(frozen=True)
class Source:
    """A still face made ready to be animated."""

    appearance: Appearance
    keypoints: np.ndarray  # x_s [K, 3], eq. 1 of the face itself

    @property
    def x_c(self) -> np.ndarray:
        """Its canonical key points [K, 3]."""
        return self.appearance.motion.x_c

    @property
    def rho(self) -> np.ndarray:
        """Its own head pose [7]."""
        return self.appearance.motion.rho[0]

    def request(self, speech: np.ndarray | Iterable[np.ndarray], emotion: np.ndarray | None = None,
                pose: Pose = "generated", seed: int = 0, window: int | None = None,
                curves: Curves | None = None) -> Request:
        """What to ask a generator for to move this face; the rest as in `Request`."""
        return Request(speech=speech, x_c=self.x_c, source_rho=self.rho, emotion=emotion, pose=pose,
                       seed=seed, window=window, curves=curves or Curves(),
                       source_delta=self.appearance.motion.delta[0])


class TalkingHead:
    """Portraits, motions and frames of one model."""

    def __init__(self, space: FaceSpace, generator: MotionGenerator):
        self.space, self.generator = space, generator

    def portrait(self, crop: np.ndarray) -> Source:
        """One square crop [S, S, 3] of a face; raises FaceNotFound."""
        appearance = self.space.appearance(crop)
        return Source(appearance, self.space.keypoints(appearance.motion)[0])

    def motions(self, requests: list[Request], **settings: Any) -> list[np.ndarray]:
        """Whole motion vectors [T, 3K + 7], directed and with blinks, all in the same network passes; raises what
        `generate_batch` raises."""
        made = self.generator.generate_batch(requests, **settings)
        return [next(self._finish(request, iter([motion]))) for request, motion in zip(requests, made, strict=True)]

    def stream(self, request: Request, **settings: Any) -> Iterator[np.ndarray]:
        """One motion, directed and with blinks, window by window [<= W, 3K + 7], in memory that does not grow with the
        speech."""
        return self._finish(request, self.generator.stream(request, **settings))

    def _finish(self, request: Request, windows: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        curves = request.curves
        if not (curves.blinks_per_min is None and curves.gaze is None) and not self.space.knows_eyes:
            raise ValueError(f"blinks and gaze cannot be directed in the face space {self.space.name}: which of its "
                             "key points are lids and irises is not known")
        moved = direct(self.space, windows, request, self.generator.rest)
        return with_blinks(self.space, request.x_c, moved, request.seed, curves.blinks_per_min)

    def frames(self, portrait: Source, motion: np.ndarray) -> np.ndarray:
        """A generated motion [T, 3K + 7], fitted to the looks of the portrait -> frames [T, 512, 512, 3] uint8.

        Every frame comes from its own row alone: a film may be rendered in pieces or with a stride.
        """
        own = portrait.appearance.motion
        fitted = self.space.retarget(Motion.from_vector(own.x_c, motion), own, self.generator.rest)
        return self.space.render(portrait.appearance, portrait.keypoints, self.space.keypoints(fitted))

    def plain_keypoints(self, portrait: Source, motion: np.ndarray) -> np.ndarray:
        """A motion [T, 3K + 7] on the portrait's identity, not fitted to its looks -> x [T, K, 3] (eq. 1)."""
        return self.space.keypoints(Motion.from_vector(portrait.appearance.motion.x_c, motion))
