"""Videos looked at for their emotion: one generated with one label, and true ones as the classifier's upper bound."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evaluation.jobs.clip import JobSettings, OfClip, write_tiles
from evaluation.jobs.parts import Parts
from evaluation.metrics import measure
from evaluation.metrics.emotion import EmotionFilm, scores, video_label
from evaluation.metrics.judges import Judges
from evaluation.results.files import Result
from models.motion.emotions import emotion_weights
from pipeline.media.crops import read_crop


@dataclass(frozen=True)
class EmotionJob(OfClip):
    """Generate the clip's first frame with its speech and one emotion."""

    emotion: str

    @property
    def stage(self) -> str:
        return f"emotion {self.emotion}"

    def run(self, parts: Parts, settings: JobSettings, folder: Path) -> Result[EmotionFilm]:
        """Generate, render and look at one emotion; the tile goes to `folder`. Raises FaceNotFound, ValueError."""
        clip = self.clip
        portrait = parts.head.portrait(read_crop(Path(clip.crop), [0])[0])
        weights = emotion_weights({self.emotion: 1.0}, parts.head.generator.labels)
        motion = parts.head.motions([portrait.request(clip.speech, weights, seed=clip.seed)])[0]
        made = measure.look_at(parts.head.frames(portrait, motion), parts.judges)
        write_tiles(folder / f"{clip.clip_id}_{self.emotion}.mp4", made.frames, self.emotion, settings)
        pose = hashlib.sha256(np.ascontiguousarray(motion[:, -7:]).tobytes()).hexdigest()
        film = replace(_look(self, made, parts.judges, settings, settings.frame_stride), pose_sha256=pose)
        return Result((film,), {"mouth": made.curves.mouth}, {})


@dataclass(frozen=True)
class TrueEmotionJob(OfClip):
    """Look at a true clip whose emotion is known: what the classifier says of it bounds what it can say of ours."""

    emotion: str

    @property
    def stage(self) -> str:
        return f"true emotion {self.emotion}"

    def run(self, parts: Parts, settings: JobSettings, folder: Path) -> Result[EmotionFilm]:
        """Look at every `frame_stride`-th frame of the true clip; nothing is written. Raises FaceNotFound."""
        frames = read_crop(Path(self.clip.crop), range(0, len(self.clip), settings.frame_stride))
        return Result((_look(self, measure.look_at(frames, parts.judges), parts.judges, settings, 1),), {}, {})


def _look(job: EmotionJob | TrueEmotionJob, video: measure.Seen, judges: Judges, settings: JobSettings,
          stride: int) -> EmotionFilm:
    clip, curves = job.clip, video.curves
    film = EmotionFilm(clip.clip_id, clip.corpus, clip.identity, job.emotion, len(clip),
                       brow_height=float(np.nanmean(curves.brows)), corner_height=float(np.nanmean(curves.corners)),
                       eye_opening=float(np.nanmean(curves.eyes)), mouth_opening=float(np.nanmean(curves.mouth)))
    if judges.expression is not None:
        probabilities = measure.expression_probabilities(video, judges, stride)
        means, logs = scores(probabilities, judges.expression_labels)
        film = replace(film, seen=judges.expression_labels[int(probabilities.mean(0).argmax())], probabilities=means,
                       log_probabilities=logs)
    if judges.emotion is not None:
        logits = judges.emotion(measure.faces_of(video, stride, (1.0,)))
        film = replace(film, emo_a_seen=video_label(logits, judges.emotion_labels, settings.emo_a))
    return film
