"""One test clip: generated from its first frame and its speech, rendered, measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from evaluation.jobs.parts import Parts
from evaluation.metrics import measure
from evaluation.metrics.curves import lip_points
from evaluation.metrics.emotion import Aggregation
from evaluation.metrics.judges import Judges
from evaluation.metrics.lip_sync import SpeechToMouth
from evaluation.metrics.motion import diversity
from evaluation.metrics.motion import lip_vertex_error as lip_error
from evaluation.results.files import Result
from evaluation.results.rows import MeasuredClip
from models.face.points import NUM_KEYPOINTS
from models.generation.talking_head import Source
from models.motion.clock import FPS
from models.motion.clock import SAMPLE_RATE_HZ as RATE_HZ
from models.motion.face_space import FaceSpace
from models.motion.motion import Motion
from pipeline.core.config import Evaluate
from pipeline.core.fingerprint import file_sha256
from pipeline.media.crops import read_crop, read_wav
from pipeline.media.film import SYNTHETIC, write_video
from pipeline.media.lettering import draw_outlined

NOTE = SYNTHETIC


@dataclass(frozen=True)
class Clip:
    """A test clip; `speech` [T, A] and `motion` [T, 3K + 7] with `x_c` [K, 3] come from the feature store."""

    clip_id: str
    corpus: str
    identity: str
    crop: str  # mp4; the sound lies beside it as wav
    x_c: np.ndarray
    motion: np.ndarray
    speech: np.ndarray
    seed: int

    def __len__(self) -> int:
        return len(self.speech)

    def inputs(self) -> list[Any]:
        """All of it that enters a result."""
        return [self.clip_id, self.seed, len(self), file_sha256(Path(self.crop))]


@dataclass(frozen=True)
class OfClip:
    """What the jobs of one test clip have in common."""

    clip: Clip

    @property
    def name(self) -> str:
        return self.clip.clip_id

    def inputs(self) -> list[Any]:
        """Of the clip; its own, a job adds."""
        return self.clip.inputs()


@dataclass(frozen=True)
class JobSettings:
    """How clips are generated and measured; all from params.yaml, section evaluate."""

    samples: int
    frame_stride: int  # of the frames that networks look at
    control_stride: int  # of the frames that are rendered with the wrong speech
    max_lag_frames: int
    panel_px: int
    crf: int
    emo_a: Aggregation

    @classmethod
    def of(cls, section: Evaluate) -> JobSettings:
        return cls(**{item.name: getattr(section, item.name) for item in fields(cls)})


@dataclass(frozen=True)
class ClipJob(OfClip):
    """Generate a clip from its first frame and its speech, and once with another clip's speech."""

    wrong_speech: np.ndarray  # [<= T, A]
    wrong_clip_id: str

    @property
    def stage(self) -> str:
        return "clip"

    def inputs(self) -> list[Any]:
        return [*super().inputs(), self.wrong_clip_id]

    def run(self, parts: Parts, settings: JobSettings, folder: Path) -> Result[MeasuredClip]:
        """Generate, render and measure; videos go to `folder`. Raises FaceNotFound, ValueError."""
        return _measure(self, parts, settings, folder)


def _measure(job: ClipJob, parts: Parts, settings: JobSettings, folder: Path) -> Result[MeasuredClip]:
    clip, judges = job.clip, parts.judges
    frames = read_crop(Path(clip.crop), range(len(clip)))
    waveform = read_wav(Path(clip.crop).with_suffix(".wav"))[:len(clip) * RATE_HZ // FPS]
    portrait = parts.head.portrait(frames[0])
    motions, wrong = _motions(job, parts, portrait, settings)
    reference = measure.look_at(frames, judges)
    made = measure.look_at(parts.head.frames(portrait, motions[0]), judges)
    control = measure.look_at(parts.head.frames(portrait, wrong[::settings.control_stride]), judges)
    _write_videos(folder, clip, waveform, frames, made.frames, control.frames, settings)
    wrong_mouth = np.full(len(clip), np.nan)
    wrong_mouth[:len(wrong):settings.control_stride] = control.curves.mouth
    numbers, arrays = pair_numbers(reference, made, waveform, judges, settings)
    numbers |= {**_control_numbers(reference.curves.mouth, control.curves.mouth, len(wrong), settings),
                **_sync_numbers(parts.sync, clip, job.wrong_speech, made, reference),
                **_motion_numbers(clip, parts, portrait, motions, waveform),
                "lip_vertex_error_wrong_speech": _lip_error(clip, wrong, parts.head.space)}
    row = MeasuredClip(clip_id=clip.clip_id, corpus=clip.corpus, identity=clip.identity, frames=len(clip),
                       seed=clip.seed, wrong_clip_id=job.wrong_clip_id, numbers=numbers)
    curves = {"reference": reference.curves.mouth, "generated": made.curves.mouth, "wrong_speech": wrong_mouth}
    return Result((row,), curves, arrays)


def pair_numbers(reference: measure.Seen, made: measure.Seen, waveform: np.ndarray, judges: Judges,
                 settings: JobSettings) -> tuple[dict[str, float | None], dict[str, np.ndarray]]:
    """Everything that two videos alone say, whoever made them: numbers, and arrays for distances over all clips.

    Raises ValueError where a face is missing in too many frames.
    """
    identity, vectors = measure.identity_numbers(reference, made, judges, settings.frame_stride)
    pictures, features = measure.picture_numbers(reference.frames, made.frames, judges, settings.frame_stride)
    return {**measure.mouth_numbers(reference.curves, made.curves, settings.max_lag_frames), **identity, **pictures,
            **measure.syncnet_numbers(made, waveform, judges),
            **measure.syncnet_numbers(reference, waveform, judges, "_reference"),
            "face_found_share": made.curves.found_share,
            "frames_without_face": int((~made.landmarks.found).sum()),
            "frames_without_face_reference": int((~reference.landmarks.found).sum()),
            "blinks_per_min": measure.blinks_per_min(made.curves, FPS),
            "blinks_per_min_reference": measure.blinks_per_min(reference.curves, FPS)}, vectors | features


def _sync_numbers(sync: SpeechToMouth | None, clip: Clip, wrong_speech: np.ndarray, made: measure.Seen,
                  reference: measure.Seen) -> dict[str, float]:
    return {} if sync is None else measure.sync_numbers(sync, clip.speech, wrong_speech, made.curves, reference.curves)


def _motions(job: ClipJob, parts: Parts, portrait: Source,
             settings: JobSettings) -> tuple[list[np.ndarray], np.ndarray]:
    """Samples of the clip's own speech, and one, with the first sample's seed, of the wrong speech."""
    own = [portrait.request(job.clip.speech, seed=job.clip.seed + sample) for sample in range(settings.samples)]
    *samples, wrong = parts.head.motions([*own, portrait.request(job.wrong_speech, seed=job.clip.seed)])
    return samples, wrong


def _control_numbers(reference: np.ndarray, control: np.ndarray, frames: int,
                     settings: JobSettings) -> dict[str, float]:
    """The wrong speech's mouth on the frames that were rendered; the lag window spans the same time."""
    stride = settings.control_stride
    found = measure.mouth_correlation(reference[:frames:stride], control, settings.max_lag_frames // stride)
    return {"mouth_r_wrong_speech": found.r, "mouth_r_wrong_speech_lag0": found.r_lag0}


def _motion_numbers(clip: Clip, parts: Parts, portrait: Source, motions: list[np.ndarray],
                    waveform: np.ndarray) -> dict[str, float | None]:
    """Of the generated motion, and of the true one of the same clip (`_reference`)."""
    made, true = motions[0][:, -3:], clip.motion[:, -3:]
    keypoints = np.stack([parts.head.plain_keypoints(portrait, motion) for motion in [*motions, clip.motion]])
    return {**measure.pose_numbers(made), **measure.of_the_truth(measure.pose_numbers(true)),
            "diversity": diversity(keypoints[:-1]) if len(motions) > 1 else None,
            "diversity_reference": diversity(keypoints[[0, -1]]),
            "lip_vertex_error": _lip_error(clip, motions[0], parts.head.space),
            **measure.beat_numbers(waveform, RATE_HZ, FPS, made),
            "beat_alignment_reference": measure.beat_numbers(waveform, RATE_HZ, FPS, true)["beat_alignment"]}


def _lip_error(clip: Clip, motion: np.ndarray, space: FaceSpace) -> float | None:
    """On the clip's own identity and without pose: expression alone is compared, as long as `motion` lasts. None in a
    face space whose key points have no names."""
    if space.num_keypoints != NUM_KEYPOINTS or space.name != "landmark":
        return None
    true, made = (clip.x_c + Motion.from_vector(clip.x_c, vector).delta for vector in (
        clip.motion[:len(motion)], motion))
    return lip_error(lip_points(true), lip_points(made))


def _write_videos(folder: Path, clip: Clip, waveform: np.ndarray, true: np.ndarray, made: np.ndarray,
                  control: np.ndarray, settings: JobSettings) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_video(folder / f"{clip.clip_id}_generated.mp4", made, FPS, waveform, tags=NOTE)
    last = len(control) - 1

    def panels(t: int) -> np.ndarray:
        pictures = {"true": true[t], "generated": made[t],
                    "wrong speech": control[min(t // settings.control_stride, last)]}
        return np.concatenate([tile(picture, settings.panel_px, name) for name, picture in pictures.items()], axis=1)

    write_video(folder / f"{clip.clip_id}_side_by_side.mp4", (panels(t) for t in range(len(made))), FPS, waveform,
                crf=settings.crf, tags=NOTE)


def tile(frame: np.ndarray, side_px: int, text: str) -> np.ndarray:
    """A frame [H, W, 3] at side_px with its name in the upper left corner, away from a player's controls."""
    tile = cv2.resize(frame, (side_px, side_px), interpolation=cv2.INTER_AREA)
    draw_outlined(tile, text, side_px // 64, side_px // 64, side_px / 22, (255, 255, 255))
    return tile


def write_tiles(path: Path, frames: Iterable[np.ndarray], text: str, settings: JobSettings) -> None:
    """A film of frames [H, W, 3] as tiles with their name, at `FPS`."""
    write_video(path, (tile(frame, settings.panel_px, text) for frame in frames), FPS, crf=settings.crf, tags=NOTE)
