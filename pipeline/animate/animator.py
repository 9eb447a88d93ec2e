"""A trained model in use: portrait and speech in, frames of a talking face out.

    animator = Animator.from_bundle(Path("data/models/emotion"))
    animator.animate_to_file("face.jpg", "speech.wav", Path("out.mp4"), emotion="happy")

Speech, sampling, rendering and encoding run window by window, so memory does not grow with the length of the speech.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.face.face import Face, FaceDetector
from models.face.paste_back import PasteBack
from models.face.source_crop import crop_portrait
from models.generation.request import Pose
from models.generation.talking_head import Source, TalkingHead
from models.judges.voice import VoiceActivity
from models.motion.clock import FPS, SAMPLE_RATE_HZ
from models.motion.face_space import FaceNotFound
from models.speech.encoder import SpeechEncoder
from pipeline.animate.direction import Direction
from pipeline.animate.emotion import as_weights
from pipeline.animate.features import whole_features
from pipeline.animate.portrait import PortraitError, choose_face, draw_numbers, find_faces, read_portrait
from pipeline.animate.pose import driving_pose
from pipeline.animate.rest import Awake, with_rest
from pipeline.animate.speech import Speech, read_speech
from pipeline.animate.style import style_of
from pipeline.compute.prefetch import prefetch
from pipeline.core.atomic import check_not_read

if TYPE_CHECKING:
    from pipeline.animate.credentials import Credentials
    from pipeline.media.lettering import VisibleMark

CRF = 18
RENDER_FRAMES = 10  # rendered at once
AS_GENERATED = Direction()
DIRECTED = frozenset(one.name for one in fields(Direction))  # keywords of `animate` that direct

Tell = Callable[[str], None]
log = logging.getLogger(__name__)
Picture = Path | str | bytes | np.ndarray
Sound = Path | str | bytes | np.ndarray | Speech


@dataclass(frozen=True)
class Portrait:
    """A portrait made ready: the square crop around its face and what the face space sees in it."""

    crop: np.ndarray          # [512, 512, 3]
    source: Source            # what the face space sees in the crop
    faces: tuple[Face, ...]   # all that were found, largest first
    picture: np.ndarray       # [H, W, 3], the whole of it
    matrix: np.ndarray        # [2, 3], from its pixels to those of the crop
    notes: tuple[str, ...] = ()   # what was done to the picture


class Animator:
    """A talking head, the speech encoder that belongs to it and a face detector; `version` names the model.

    `voice` hears where nobody speaks, so that the mouth rests there; None: nobody listens.
    """

    def __init__(self, head: TalkingHead, encoder: SpeechEncoder, detector: FaceDetector, version: str,
                 voice: VoiceActivity | None = None):
        self.head, self.encoder, self.detector = head, encoder, detector
        self.version, self.voice = version, voice

    @classmethod
    def from_bundle(cls, folder: Path, face_space_folder: Path | None = None, detector: str | None = None,
                    provider: str = "cpu") -> Animator:
        """Load a bundle; its face space is `face_space_folder`, else the one beside or inside it.

        `detector` (insightface, buffalo_l, mediapipe) finds the portrait's face; None: what fits the face space. An
        exported bundle, as the shipped one is, runs without PyTorch on ONNX Runtime's `provider`: cpu, cuda, tensorrt.
        Raises BundleError for a bundle that cannot be used, WeightsError for weights that are not there.
        """
        from pipeline.components.model import load_model

        model = load_model(Path(folder), face_space_folder, detector, provider)
        return cls(model.head, model.encoder, model.detector, model.version, model.voice)

    @property
    def labels(self) -> tuple[str, ...]:
        """Emotions that the model knows."""
        return self.head.generator.labels

    @property
    def guidance(self) -> tuple[float, float]:
        """The model's own scales of eq. 8: w_a (speech), w_e (emotion)."""
        settings = self.head.generator.settings
        return settings.audio_scale, settings.emotion_scale

    def portrait(self, picture: Picture, face: int | None = None) -> Portrait:
        """Find, crop and analyse the face to animate; raises PortraitError.

        `face` chooses among several by the number that `numbered_faces` draws; without it the largest is taken.
        """
        found = find_faces(read_portrait(picture), self.detector)
        image, chosen = found.picture, choose_face(found.faces, face)
        crop, matrix = crop_portrait(image, chosen, upright=self.head.space.name == "liveportrait")
        try:
            source = self.head.portrait(crop)
        except FaceNotFound as error:
            raise PortraitError("a face was found in the portrait, but not its features: use a picture in which eyes "
                                "and mouth are clearly seen from the front") from error
        return Portrait(crop, source, found.faces, image, matrix, found.notes)

    def numbered_faces(self, picture: Picture) -> np.ndarray:
        """The picture [H, W, 3] with its faces numbered."""
        found = find_faces(read_portrait(picture), self.detector)
        return draw_numbers(found.picture, found.faces)

    def animate(self, portrait: Picture | Portrait, speech: Sound, pose: str | Path | bytes = "generated",
                face: int | None = None, paste_back: bool = False, tell: Tell = log.warning,
                **direction: Any) -> Iterator[np.ndarray]:
        """RGB frames [512, 512, 3] uint8 at 25 fps, round(25 x duration) of them.

        `direction`: `emotion`, `seed`, `pose_scale` and all else that `pipeline.animate.direction.Direction` has.
        `pose`: "generated", "still", or a driving video. `paste_back`: frames are the whole picture [H, W, 3] (sides
        cut to even ones) with the animated face in its place. `tell` is called with what was noticed about the inputs,
        in words. All inputs are checked before the first frame; raises PortraitError, SpeechError, DrivingError,
        ValueError (unknown emotion: the message lists the known ones).
        """
        asked = Direction(**direction)
        ready = portrait if isinstance(portrait, Portrait) else self.portrait(portrait, face)
        heard = read_speech(speech)
        frames = frame_count(heard.waveform)
        weights = as_weights(asked.emotion, self.labels, frames, FPS)
        for note in (*ready.notes, *heard.notes):
            tell(note)
        features = whole_features(self.encoder, heard.waveform, frames)
        awake = self.awake(asked)
        motions = self.motions(ready, features if awake is None else awake.along(features, heard.waveform), weights,
                               self._pose(pose, ready, frames, tell), asked, frames=frames, tell=tell)
        return self._render(ready, self.rest_mouth(ready, motions, awake), paste_back)

    def awake(self, direction: Direction) -> Awake | None:
        """A new listener for one film; None where nobody listens, or where an emotion may hold the lips apart."""
        emotion = direction.emotion
        calm = emotion is None or (isinstance(emotion, (str, list)) and emotion in ("neutral", ["neutral"]))
        return Awake(self.voice) if self.voice is not None and calm and direction.rest else None

    def rest_mouth(self, portrait: Portrait, motions: Iterator[np.ndarray],
                   awake: Awake | None) -> Iterator[np.ndarray]:
        """Motion vectors with the mouth at rest where nobody speaks."""
        return motions if awake is None else with_rest(self.head.space, portrait.source.x_c, motions, awake)

    def animate_to_file(self, portrait: Picture | Portrait, speech: Sound, out: Path, progress=None,
                        credentials: Credentials | bool = True, mark: str | None = None, **options: Any) -> int:
        """Write `animate(..., **options)` with the speech as H.264 and AAC in MP4; returns the number of frames.

        The film lets hear a file's sound in its own quality. `progress(frame)` is called with every frame. The file
        says in its metadata that it is synthetic, and carries C2PA content credentials: those given, self-signed ones
        (True), or none (False; then the same input gives the same bytes). `mark`: a text drawn on every frame. Raises
        what `animate` raises, and CredentialsError.
        """
        from pipeline.animate.provenance import generation_facts, metadata_tags, signing
        from pipeline.media.film import write_video
        from pipeline.media.lettering import VisibleMark

        check_not_read(Path(out), [portrait, speech, options.get("pose"), options.get("like")])
        asked = {name: value for name, value in options.items() if name in DIRECTED}
        facts = generation_facts(self.version, **asked_facts(asked))
        finish = signing(facts, credentials)
        draw = None if mark is None else VisibleMark(mark)
        heard = read_speech(speech)
        frames = _finish(self.animate(portrait, heard, **options), draw, progress)
        with closing(prefetch(frames, 16)) as ahead:
            return write_video(Path(out), ahead, FPS, heard.soundtrack(), crf=CRF, tags=metadata_tags(facts),
                               finish=finish)

    def motions(self, portrait: Portrait, features: Iterator[np.ndarray], emotion: np.ndarray | None, pose: Pose,
                direction: Direction = AS_GENERATED, window: int | None = None, frames: int | None = None,
                tell: Tell = log.warning) -> Iterator[np.ndarray]:
        """Motion vectors [<= window, 3K + 7] from speech features [n, D] of `frames` (None: nobody knows yet).

        `emotion` and `pose` as in `models.generation.request.Request`; the direction's own emotion is not read. Raises
        ValueError for a direction that cannot be followed, DrivingError for a video that nothing can be like.
        """
        settings, style = direction.settings(), None
        if direction.like is not None:
            style = style_of(direction.like, portrait.source.rho, self.head.space, self.detector)
            for note in style.notes:
                tell(note)
        curves = direction.curves(self.head.generator.settings, frames, None if style is None else style.blinks_per_min)
        request = portrait.source.request(features, emotion, pose, direction.seed, window, curves)
        request = replace(request, guided=direction.part(), style=None if style is None else (style.mean, style.std))
        return self.head.stream(request, **settings)

    def render(self, portrait: Portrait, motions: Iterator[np.ndarray],
               paste_back: bool = False) -> Iterator[np.ndarray]:
        """Frames of motion vectors [n, 3K + 7], as `animate` gives them."""
        paste = PasteBack(portrait.picture, portrait.matrix, len(portrait.crop)) if paste_back else None
        count = 1   # of the first frame, which waits for no other
        for vectors in motions:
            start = 0
            while start < len(vectors):
                for frame in self.head.frames(portrait.source, vectors[start:start + count]):
                    yield frame if paste is None else paste(frame)
                start, count = start + count, RENDER_FRAMES

    def _render(self, portrait: Portrait, motions: Iterator[np.ndarray], paste_back: bool) -> Iterator[np.ndarray]:
        with closing(prefetch(motions)) as ahead:  # its thread ends here even where rendering fails
            yield from self.render(portrait, ahead, paste_back)

    def _pose(self, pose: str | Path | bytes, portrait: Portrait, frames: int, tell: Tell) -> Pose:
        if isinstance(pose, str) and pose in ("generated", "still"):
            return pose
        driven = driving_pose(pose, frames, FPS, portrait.source.rho, self.head.space, self.detector)
        for note in driven.notes:
            tell(note)
        return driven.rho


def asked_facts(direction: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, as a film's metadata say it: without the video that it is like, which may be bytes."""
    asked = {name: value for name, value in direction.items() if name != "rest"}
    return asked | ({"like": "a video of the person"} if asked.get("like") is not None else {})


def frame_count(waveform: np.ndarray) -> int:
    """Frames of a film of this speech [N]: round(25 x duration), at least one."""
    return max(1, round(len(waveform) * FPS / SAMPLE_RATE_HZ))


def _finish(frames: Iterator[np.ndarray], draw: VisibleMark | None, progress) -> Iterator[np.ndarray]:
    for frame in frames:
        finished = frame if draw is None else draw(frame)
        if progress is not None:
            progress(finished)
        yield finished
