"""A trained model in use: portrait and speech in, frames of a talking face out.

    animator = Animator.from_bundle(Path("data/models/emotion"))
    animator.animate_to_file("face.jpg", "speech.wav", Path("out.mp4"), emotion="happy")

Speech, sampling, rendering and encoding run window by window, so memory does not grow with the length of the speech.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.detectors import Face, FaceDetector
from models.face_space import Appearance, FaceNotFound, FaceSpace
from models.generate import MotionGenerator, Request
from models.motion import Motion
from models.speech.encoder import FPS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME, SpeechEncoder
from pipeline.driving import driving_pose
from pipeline.emotion_timeline import as_weights
from pipeline.media import write_video
from pipeline.portrait import PortraitError, by_size, choose_face, draw_numbers, read_portrait
from pipeline.portrait_crop import crop_portrait
from pipeline.prefetch import prefetch
from pipeline.speech_input import read_speech

PIECE_FRAMES = 1500         # speech is encoded in pieces of a minute ...
CONTEXT_FRAMES = 50         # ... with two seconds on either side that are thrown away
CRF = 18
NOTE = "Synthetic video: the face was animated by a model and did not say this."

Emotion = str | Mapping[str, float] | Sequence[str] | None
Picture = Path | str | bytes | np.ndarray
Sound = Path | str | bytes | np.ndarray


@dataclass(frozen=True)
class Portrait:
    """A portrait made ready: the square crop around its face and what the face space sees in it."""

    crop: np.ndarray          # [512, 512, 3]
    appearance: Appearance
    keypoints: np.ndarray     # [K, 3], eq. 1 of the portrait itself
    faces: tuple[Face, ...]  # all that were found, largest first


class Animator:
    """A face space, a speech encoder and a motion generator that belong together; `version` names the model."""

    def __init__(self, space: FaceSpace, encoder: SpeechEncoder, generator: MotionGenerator, detector: FaceDetector,
                 version: str):
        self.space, self.encoder, self.generator = space, encoder, generator
        self.detector, self.version = detector, version

    @classmethod
    def from_bundle(cls, folder: Path, face_space_folder: Path | None = None) -> Animator:
        """Load a bundle; its face space is `face_space_folder`, else the one beside or inside it.

        Raises BundleError for a bundle that cannot be used, WeightsError for weights that are not there.
        """
        from pipeline.animator_parts import load_parts

        return cls(**load_parts(Path(folder), face_space_folder))

    @classmethod
    def from_registry(cls, model: str) -> Animator:
        """Load a registered model such as `models:/playmate@champion`; raises TrackingUnavailable, ValueError."""
        from pipeline.tracking_registry import download

        folder = download(model)
        return cls.from_bundle(folder / "bundle", folder / "face_space")

    @property
    def labels(self) -> tuple[str, ...]:
        """Emotions that the model knows."""
        return self.generator.labels

    def portrait(self, picture: Picture, face: int | None = None) -> Portrait:
        """Find, crop and analyse the face to animate; raises PortraitError.

        `face` chooses among several by the number that `numbered_faces` draws; without it the largest is taken.
        """
        image = read_portrait(picture)
        faces = tuple(by_size(self.detector.detect(image)))
        crop = crop_portrait(image, choose_face(faces, face), upright=self.space.name == "liveportrait")
        try:
            appearance = self.space.appearance(crop)
        except FaceNotFound as error:
            raise PortraitError("a face was found in the portrait, but not its features: use a picture in which eyes "
                                "and mouth are clearly seen from the front") from error
        return Portrait(crop, appearance, self.space.keypoints(appearance.motion)[0], faces)

    def numbered_faces(self, picture: Picture) -> np.ndarray:
        """The picture [H, W, 3] with its faces numbered."""
        image = read_portrait(picture)
        return draw_numbers(image, by_size(self.detector.detect(image)))

    def animate(self, portrait: Picture | Portrait, speech: Sound, emotion: Emotion = None,
                pose: str | Path | bytes = "generated", audio_scale: float | None = None,
                emotion_scale: float | None = None, steps: int | None = None, seed: int = 0,
                face: int | None = None) -> Iterator[np.ndarray]:
        """RGB frames [512, 512, 3] uint8 at 25 fps, round(25 x duration) of them.

        `emotion`: a name, "happy:0.7,surprised:0.2", weights by name, or several texts with start times
        ("sad@3.5"); None asks for none. `pose`: "generated", "still", or a driving video. Scales and steps: those
        stored with the model unless given. All inputs are checked before the first frame; raises PortraitError,
        SpeechError, DrivingError, ValueError (unknown emotion: the message lists the known ones).
        """
        source = portrait if isinstance(portrait, Portrait) else self.portrait(portrait, face)
        waveform = read_speech(speech)
        frames = frame_count(waveform)
        request = Request(
            speech=self._speech_features(waveform, frames), x_c=source.appearance.motion.x_c,
            source_rho=source.appearance.motion.rho[0], emotion=as_weights(emotion, self.labels, frames, FPS),
            pose=self._pose(pose, source, frames), seed=seed)
        settings = {"audio_scale": audio_scale, "emotion_scale": emotion_scale, "steps": steps}
        motions = self.generator.stream(request, **{name: v for name, v in settings.items() if v is not None})
        return self._render(source, prefetch(motions))

    def animate_to_file(self, portrait: Picture | Portrait, speech: Sound, out: Path, progress=None,
                        **options: Any) -> int:
        """Write `animate(..., **options)` with the speech as H.264 and AAC in MP4; returns the number of frames.

        `progress(frame)` is called with every frame. The file says in its metadata that it is synthetic.
        """
        waveform = read_speech(speech)
        frames = self.animate(portrait, waveform, **options)
        return write_video(Path(out), prefetch(_watched(frames, progress), 16), FPS, waveform, SAMPLE_RATE_HZ, CRF,
                           self._tags(options.get("emotion")))

    def _render(self, source: Portrait, motions: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        x_c = source.appearance.motion.x_c
        for vectors in motions:  # [<= window, 3K + 7]
            driving = self.space.keypoints(Motion.from_vector(x_c, vectors))
            yield from self.space.render(source.appearance, source.keypoints, driving)

    def _speech_features(self, waveform: np.ndarray, frames: int) -> Iterator[np.ndarray]:
        for start in range(0, frames, PIECE_FRAMES):
            stop = min(start + PIECE_FRAMES, frames)
            first, last = max(0, start - CONTEXT_FRAMES), min(frames, stop + CONTEXT_FRAMES)
            piece = waveform[first * SAMPLES_PER_FRAME:last * SAMPLES_PER_FRAME]
            yield self.encoder.encode(piece, last - first)[start - first:stop - first]

    def _pose(self, pose: str | Path | bytes, source: Portrait, frames: int) -> str | np.ndarray:
        if pose in ("generated", "still"):
            return pose
        return driving_pose(pose, frames, FPS, source.appearance.motion.rho[0], self.space, self.detector)

    def _tags(self, emotion: Emotion) -> dict[str, str]:
        facts = {"synthetic": True, "generator": "playmate", "model": self.version,
                 "emotion": emotion if isinstance(emotion, str | None) else json.dumps(emotion)}
        return {"description": NOTE, "comment": json.dumps(facts, sort_keys=True)}


def frame_count(waveform: np.ndarray) -> int:
    """Frames of a film of this speech [N]: round(25 x duration), at least one."""
    return max(1, round(len(waveform) * FPS / SAMPLE_RATE_HZ))


def _watched(frames: Iterator[np.ndarray], progress) -> Iterator[np.ndarray]:
    for frame in frames:
        if progress is not None:
            progress(frame)
        yield frame
