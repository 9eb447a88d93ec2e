"""A trained model in use: portrait and speech in, frames of a talking face out.

    animator = Animator.from_bundle(Path("data/models/emotion"))
    animator.animate_to_file("face.jpg", "speech.wav", Path("out.mp4"), emotion="happy")

Speech, sampling, rendering and encoding run window by window, so memory does not grow with the length of the speech.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.face.face import Face, FaceDetector
from models.face.paste_back import PasteBack
from models.face.source_crop import crop_portrait
from models.generation.request import Pose
from models.generation.talking_head import Source, TalkingHead
from models.motion.face_space import FaceNotFound
from models.speech.encoder import FPS, SAMPLE_RATE_HZ, SpeechEncoder
from pipeline.animate.emotion import as_weights
from pipeline.animate.features import whole_features
from pipeline.animate.film_sound import film_sound
from pipeline.animate.portrait import PortraitError, by_size, choose_face, draw_numbers, read_portrait
from pipeline.animate.pose import driving_pose
from pipeline.animate.speech import read_speech
from pipeline.compute.prefetch import prefetch
from pipeline.media.film import write_video
from pipeline.media.visible_mark import VisibleMark

if TYPE_CHECKING:
    from pipeline.animate.credentials import Credentials

CRF = 18
RENDER_FRAMES = 10  # rendered at once: the first of them wait for the others
MAX_SCALE = 10.0  # of guidance; faces fall apart long before

Emotion = str | Mapping[str, float] | Sequence[str] | None
Picture = Path | str | bytes | np.ndarray
Sound = Path | str | bytes | np.ndarray


@dataclass(frozen=True)
class Portrait:
    """A portrait made ready: the square crop around its face and what the face space sees in it."""

    crop: np.ndarray          # [512, 512, 3]
    source: Source            # what the face space sees in the crop
    faces: tuple[Face, ...]   # all that were found, largest first
    picture: np.ndarray       # [H, W, 3], the whole of it
    matrix: np.ndarray        # [2, 3], from its pixels to those of the crop


class Animator:
    """A talking head, the speech encoder that belongs to it and a face detector; `version` names the model."""

    def __init__(self, head: TalkingHead, encoder: SpeechEncoder, detector: FaceDetector, version: str):
        self.head, self.encoder, self.detector, self.version = head, encoder, detector, version

    @classmethod
    def from_bundle(cls, folder: Path, face_space_folder: Path | None = None, detector: str | None = None) -> Animator:
        """Load a bundle; its face space is `face_space_folder`, else the one beside or inside it.

        `detector` (insightface, buffalo_l, mediapipe) finds the portrait's face; None: what fits the face space.
        Raises BundleError for a bundle that cannot be used, WeightsError for weights that are not there.
        """
        from pipeline.components.model import load_model

        model = load_model(Path(folder), face_space_folder, detector)
        return cls(model.head, model.encoder, model.detector, model.version)

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
        image = read_portrait(picture)
        faces = tuple(by_size(self.detector.detect(image)))
        crop, matrix = crop_portrait(image, choose_face(faces, face), upright=self.head.space.name == "liveportrait")
        try:
            source = self.head.portrait(crop)
        except FaceNotFound as error:
            raise PortraitError("a face was found in the portrait, but not its features: use a picture in which eyes "
                                "and mouth are clearly seen from the front") from error
        return Portrait(crop, source, faces, image, matrix)

    def numbered_faces(self, picture: Picture) -> np.ndarray:
        """The picture [H, W, 3] with its faces numbered."""
        image = read_portrait(picture)
        return draw_numbers(image, by_size(self.detector.detect(image)))

    def animate(self, portrait: Picture | Portrait, speech: Sound, emotion: Emotion = None,
                pose: str | Path | bytes = "generated", audio_scale: float | None = None,
                emotion_scale: float | None = None, steps: int | None = None, seed: int = 0,
                face: int | None = None, paste_back: bool = False) -> Iterator[np.ndarray]:
        """RGB frames [512, 512, 3] uint8 at 25 fps, round(25 x duration) of them.

        `emotion`: a name, "happy:0.7,surprised:0.2", weights by name, or several texts with start times
        ("sad@3.5"); None asks for none. `pose`: "generated", "still", or a driving video. Scales and steps: those
        stored with the model unless given. `paste_back`: frames are the whole picture [H, W, 3] (sides cut to even
        ones) with the animated face in its place. All inputs are checked before the first frame; raises PortraitError,
        SpeechError, DrivingError, ValueError (unknown emotion: the message lists the known ones).
        """
        ready = portrait if isinstance(portrait, Portrait) else self.portrait(portrait, face)
        waveform = read_speech(speech)
        frames = frame_count(waveform)
        weights = as_weights(emotion, self.labels, frames, FPS)
        motions = self.motions(ready, whole_features(self.encoder, waveform, frames), weights,
                               self._pose(pose, ready, frames), seed, audio_scale, emotion_scale, steps)
        return self._rendered(ready, motions, paste_back)

    def animate_to_file(self, portrait: Picture | Portrait, speech: Sound, out: Path, progress=None,
                        credentials: Credentials | bool = True, mark: str | None = None,
                        sound: Sound | None = None, **options: Any) -> int:
        """Write `animate(..., **options)` with the speech as H.264 and AAC in MP4; returns the number of frames.

        `sound`: the file or its bytes whose waveform `speech` is, where that was decoded before, so that the film lets
        hear it in its own quality. `progress(frame)` is called with every frame. The file says in its metadata that it
        is synthetic, and carries C2PA content credentials: those given, self-signed ones (True), or none (False; then
        the same input gives the same bytes). `mark`: a text drawn on every frame. Raises what `animate` raises, and
        CredentialsError.
        """
        from pipeline.animate.provenance import generation_facts, metadata_tags, signing

        facts = generation_facts(self.version, emotion=options.get("emotion"), seed=options.get("seed"))
        finish = signing(facts, credentials)
        draw = None if mark is None else VisibleMark(mark)
        waveform = read_speech(speech)
        source = speech if sound is None else sound
        heard = waveform if isinstance(source, np.ndarray) else film_sound(source)
        frames = _finished(self.animate(portrait, waveform, **options), draw, progress)
        with closing(prefetch(frames, 16)) as ahead:
            return write_video(Path(out), ahead, FPS, heard, SAMPLE_RATE_HZ, CRF, metadata_tags(facts), finish)

    def motions(self, portrait: Portrait, features: Iterator[np.ndarray], emotion: np.ndarray | None,
                pose: Pose, seed: int = 0, audio_scale: float | None = None,
                emotion_scale: float | None = None, steps: int | None = None,
                window: int | None = None) -> Iterator[np.ndarray]:
        """Motion vectors [<= window, 3K + 7] from speech features [n, D]; see `models.generation.generator.Request`.

        Raises ValueError for scales or a seed out of their range.
        """
        _check_settings(audio_scale, emotion_scale, seed)
        request = portrait.source.request(features, emotion, pose, seed, window)
        settings = {"audio_scale": audio_scale, "emotion_scale": emotion_scale, "steps": steps}
        return self.head.stream(request, **{name: v for name, v in settings.items() if v is not None})

    def render(self, portrait: Portrait, motions: Iterator[np.ndarray],
               paste_back: bool = False) -> Iterator[np.ndarray]:
        """Frames of motion vectors [n, 3K + 7], as `animate` gives them."""
        paste = PasteBack(portrait.picture, portrait.matrix, len(portrait.crop)) if paste_back else None
        for vectors in motions:
            for start in range(0, len(vectors), RENDER_FRAMES):
                for frame in self.head.frames(portrait.source, vectors[start:start + RENDER_FRAMES]):
                    yield frame if paste is None else paste(frame)

    def _rendered(self, portrait: Portrait, motions: Iterator[np.ndarray], paste_back: bool) -> Iterator[np.ndarray]:
        with closing(prefetch(motions)) as ahead:  # its thread ends here even where rendering fails
            yield from self.render(portrait, ahead, paste_back)

    def _pose(self, pose: str | Path | bytes, portrait: Portrait, frames: int) -> Pose:
        if pose in ("generated", "still"):
            return pose
        return driving_pose(pose, frames, FPS, portrait.source.rho, self.head.space, self.detector)


def frame_count(waveform: np.ndarray) -> int:
    """Frames of a film of this speech [N]: round(25 x duration), at least one."""
    return max(1, round(len(waveform) * FPS / SAMPLE_RATE_HZ))


def _check_settings(audio_scale: float | None, emotion_scale: float | None, seed: int) -> None:
    for name, scale in (("speech (audio scale)", audio_scale), ("emotion (emotion scale)", emotion_scale)):
        if scale is not None and not 0 <= scale <= MAX_SCALE:
            raise ValueError(f"the guidance of {name} is {scale:g}: it must lie between 0 and {MAX_SCALE:g}")
    if seed < 0:
        raise ValueError(f"the seed is {seed}: it must be a whole number from 0 on")


def _finished(frames: Iterator[np.ndarray], draw: VisibleMark | None, progress) -> Iterator[np.ndarray]:
    for frame in frames:
        finished = frame if draw is None else draw(frame)
        if progress is not None:
            progress(finished)
        yield finished
