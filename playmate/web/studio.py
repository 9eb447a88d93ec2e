"""What the page does, without the page: one request checked against limits, one film made.

Nothing that a visitor sends is used as a path or as a model's name: uploads are read into memory from the folder that
the page itself wrote them to, and everything else is a number, or a word of a fixed list.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from pipeline.animate.animator import Animator, frame_count
from pipeline.animate.direction import Direction
from pipeline.animate.portrait import rivals
from pipeline.animate.speech import read_speech
from pipeline.dub.dubber import dub_to_file
from pipeline.dub.plan import Showing
from playmate.web.timeline import emotion_texts

POSES = ("generated", "still", "video")
MARK = "AI generated"
# of `Direction`, with what the page calls them
DIALS = {"pose_scale": "Head movement, 0 to 3 (1)", "mouth_scale": "Mouth movement, 0 to 2 (1)",
         "blink": "Blinks a minute, or off (16)", "gaze": "Eyes: camera or free (free)",
         "expression_scale": "Guidance of the expression by speech", "pose_guidance": "Guidance of the head by speech",
         "guided": "Part of sampling that is guided (0:1)"}
MAX_SCALE, MAX_SEED, MAX_FACES = 5.0, 2**31, 1000


@dataclass(frozen=True)
class Limits:
    """What a visitor may ask for."""

    upload_mb: int = 50
    speech_s: float = 120.0
    jobs: int = 1  # films made at a time
    waiting: int = 8  # more visitors than that are sent away


@dataclass(frozen=True)
class Wish:
    """One film as the page's controls describe it; `timeline` rows are (start in seconds, emotion, strength)."""

    portrait: str | None
    speech: str | None
    timeline: Sequence[tuple[float, str, float]]
    pose: str
    pose_video: str | None
    audio_scale: float
    emotion_scale: float
    seed: int
    paste_back: bool
    mark: bool
    consent: bool
    face: int | None = None  # its number in `Studio.faces`; None: the largest
    model: str | None = None  # one of `Studio.models`; None: the one that the page was started with
    dials: Mapping[str, str] = field(default_factory=dict)  # of `DIALS`, as timelines; empty ones are the model's own
    like: str | None = None  # a video of the person


@dataclass(frozen=True)
class DubWish:
    """One film and the speech that it is to get, as the page's controls describe it."""

    film: str | None
    speech: str | None
    face: int | None
    fit: str
    emotion: str | None
    keep_sound_db: float | None
    seed: int
    mark: bool
    consent: bool


class Studio:
    """Makes films with one animator, or with one of `models`, which are loaded when the first visitor chooses them.
    `uploads` is the folder that the page keeps what visitors send in; `films` are written below it."""

    def __init__(self, animator: Animator, limits: Limits, uploads: Path,
                 models: Mapping[str, Callable[[], Animator]] = MappingProxyType({})):
        self.animator, self.limits, self.uploads = animator, limits, Path(uploads).resolve()
        self.models, self._loaded, self._loading = models, dict[str, Animator](), threading.Lock()

    def animator_of(self, model: str | None) -> Animator:
        """The animator of a model's name; raises ValueError for a name that is not on the list."""
        if model is None:
            return self.animator
        if model not in self.models:
            raise ValueError("this model is not on the list")
        with self._loading:
            if model not in self._loaded:
                self._loaded[model] = self.models[model]()
        return self._loaded[model]

    def faces(self, portrait: str | None) -> tuple[int, np.ndarray]:
        """How many faces could be meant, 1 where one is far larger than all others, and the picture [H, W, 3] that
        numbers them. Raises ValueError for what is no portrait."""
        picture = self._upload(portrait, "portrait")
        found = self.animator.portrait(picture).faces
        return (len(found) if rivals(found) else 1), self.animator.numbered_faces(picture)

    def duration_s(self, speech: str | None) -> float:
        """Length of an uploaded speech; raises ValueError for what is none, or is too long."""
        return read_speech(self._upload(speech, "speech"), self.limits.speech_s).duration_s

    def film(self, wish: Wish, progress: Callable[[int, int], None]) -> Path:
        """Make the film and return its file; `progress(done, total)` in frames.

        Raises ValueError for what a visitor can mend, without any path in its message.
        """
        if not wish.consent:
            raise ValueError("tick that the person shown agreed, and that you may use the speech")
        speech = read_speech(self._upload(wish.speech, "speech"), self.limits.speech_s)
        self._check_numbers(wish)
        animator = self.animator_of(wish.model)
        total, done = frame_count(speech.waveform), 0

        def step(_frame) -> None:
            nonlocal done
            done += 1
            progress(done, total)

        folder = Path(tempfile.mkdtemp(prefix="film-", dir=self.uploads))
        out = folder / "playmate.mp4"
        animator.animate_to_file(
            self._upload(wish.portrait, "portrait"), speech, out, progress=step,
            mark=MARK if wish.mark else None,
            emotion=emotion_texts(wish.timeline, animator.labels, speech.duration_s) or None,
            pose=self._pose(wish), audio_scale=float(wish.audio_scale), emotion_scale=float(wish.emotion_scale),
            seed=int(wish.seed), paste_back=bool(wish.paste_back), face=_face(wish.face),
            **self._dials(wish))
        return out

    def dub(self, wish: DubWish, progress: Callable[[int, int], None], tell: Callable[[str], None]) -> Path:
        """Give the film new speech and return its file; raises as `film`, and SeveralPeopleError."""
        if not wish.consent:
            raise ValueError("tick that the person shown agreed, and that you may use film and speech")
        self._check_seed(wish.seed)
        film, done = self._upload(wish.film, "film"), 0
        speech = read_speech(self._upload(wish.speech, "speech"), self.limits.speech_s)

        def step(_picture: np.ndarray, showing: Showing) -> None:
            nonlocal done
            done += 1
            progress(done, len(showing.times))

        out = Path(tempfile.mkdtemp(prefix="film-", dir=self.uploads)) / "dubbed.mp4"
        dub_to_file(self.animator, film, speech, out, face=_face(wish.face), fit=wish.fit,
                    keep_sound_db=wish.keep_sound_db, direction=Direction(wish.emotion, seed=int(wish.seed)),
                    mark=MARK if wish.mark else None, progress=step, tell=tell, limit_s=self.limits.speech_s)
        return out

    def _dials(self, wish: Wish) -> dict[str, Any]:
        if unknown := set(wish.dials) - set(DIALS):
            raise ValueError(f"unknown dial {min(unknown)!r}: {', '.join(DIALS)} are known")
        asked: dict[str, Any] = {name: text for name, text in wish.dials.items() if text.strip()}
        return asked | ({"like": self._upload(wish.like, "video of the person")} if wish.like else {})

    def _pose(self, wish: Wish) -> str | bytes:
        if wish.pose not in POSES:
            raise ValueError(f"pose must be one of {', '.join(POSES)}")
        return self._upload(wish.pose_video, "pose video") if wish.pose == "video" else wish.pose

    def _check_numbers(self, wish: Wish) -> None:
        for name, value in (("speech", wish.audio_scale), ("emotion", wish.emotion_scale)):
            if not 0 <= float(value) <= MAX_SCALE:
                raise ValueError(f"the guidance of {name} lies between 0 and {MAX_SCALE:g}")
        self._check_seed(wish.seed)

    def _check_seed(self, seed: float) -> None:
        if not 0 <= float(seed) < MAX_SEED:   # also what is no number
            raise ValueError(f"the seed is a whole number from 0 to {MAX_SEED - 1}")

    def _upload(self, place: str | None, name: str) -> bytes:
        """The bytes of an upload; only files of the page's own folder are read."""
        if not place:
            raise ValueError(f"the {name} is missing: upload or record it")
        path = Path(place).resolve()
        if not path.is_relative_to(self.uploads) or not path.is_file():
            raise ValueError(f"the {name} is not an upload of this page")
        if path.stat().st_size > self.limits.upload_mb * 2**20:
            raise ValueError(f"the {name} is larger than {self.limits.upload_mb} MB")
        return path.read_bytes()


def _face(number: float | None) -> int | None:
    if number is not None and not 1 <= float(number) <= MAX_FACES:
        raise ValueError(f"faces have numbers from 1 to {MAX_FACES}")
    return None if number is None else int(number)
