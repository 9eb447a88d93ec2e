"""One clip over the grid of guidance scales: generated, rendered and measured at every setting."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.ablation.grid import Measured, Setting
from evaluation.jobs.clip import Clip, OfClip
from evaluation.jobs.parts import Parts
from evaluation.metrics import measure
from evaluation.metrics.emotion import Aggregation, video_label
from evaluation.metrics.judges import IDENTITY, Judges
from evaluation.metrics.motion import jitter
from evaluation.results.files import Result
from evaluation.results.rows import GridRow
from models.generation.talking_head import Source, TalkingHead
from models.motion.emotions import emotion_weights
from pipeline.components.bundle import bundle_digest, load_bundle
from pipeline.media.crops import read_crop, read_wav


@dataclass(frozen=True)
class AblationSettings:
    """How a row is measured."""

    frame_stride: int  # of the frames that are rendered
    network_stride: int  # of the rendered frames that networks look at
    max_lag_frames: int
    emo_a: Aggregation


@dataclass(frozen=True)
class GridJob(OfClip):
    """One clip at every setting of `grid` with one model: that of `bundle`, or the worker's own."""

    wrong_speech: np.ndarray  # [<= T, A]
    wrong_clip_id: str
    grid: tuple[Setting, ...]
    emotion: str              # that is asked for in rows with an emotion scale
    model: str
    bundle: Path | None

    @property
    def stage(self) -> str:
        return f"{self.model}: guidance"

    def inputs(self) -> list[Any]:
        return [*super().inputs(), self.wrong_clip_id, self.emotion, [asdict(setting) for setting in self.grid],
                self.bundle and bundle_digest(self.bundle)]

    def run(self, parts: Parts, settings: AblationSettings, folder: Path) -> Result[GridRow]:
        """Every setting; nothing is written. Raises FaceNotFound, ValueError."""
        parts = with_model(parts, self.bundle)
        frames = read_crop(Path(self.clip.crop), range(len(self.clip)))
        portrait = parts.head.portrait(frames[0])
        true = measure.look_at(frames[::settings.frame_stride], parts.judges)
        found = [_measure(self, portrait, true, setting, parts, settings) for setting in self.grid]
        return Result(tuple(one.row for one in found), {}, {
            f"{index}.{name}": array for index, one in enumerate(found) for name, array in one.features.items()})


def measurements(result: Result[GridRow]) -> list[Measured]:
    """What `GridJob.run` gave, one a setting."""
    return [Measured(row, {name.removeprefix(f"{index}."): array for name, array in result.arrays.items()
                           if name.startswith(f"{index}.")}) for index, row in enumerate(result.rows)]


def with_model(parts: Parts, bundle: Path | None) -> Parts:
    """`parts` with the model of `bundle`, where there is one; raises BundleError."""
    return parts if bundle is None else replace(
        parts, head=TalkingHead(parts.head.space, load_bundle(bundle).generator(parts.device)))


def _measure(job: GridJob, portrait: Source, true: measure.Seen, setting: Setting, parts: Parts,
             settings: AblationSettings) -> Measured:
    clip, asked = job.clip, job.emotion
    scales, emotion = {"audio_scale": setting.audio_scale}, None
    if setting.emotion_scale is not None:
        scales["emotion_scale"] = setting.emotion_scale
        emotion = emotion_weights({asked: 1.0}, parts.head.generator.labels)
    own, wrong = parts.head.motions([portrait.request(speech, emotion, seed=clip.seed)
                                     for speech in (clip.speech, job.wrong_speech)], **scales)
    stride, lag = settings.frame_stride, settings.max_lag_frames // settings.frame_stride
    made = measure.look_at(parts.head.frames(portrait, own[::stride]), parts.judges)
    control = measure.look_at(parts.head.frames(portrait, wrong[::stride]), parts.judges)
    found = measure.mouth_correlation(true.curves.mouth, made.curves.mouth, lag)
    chance = measure.mouth_correlation(true.curves.mouth[:len(control.curves)], control.curves.mouth, lag)
    keypoints, pose = parts.head.plain_keypoints(portrait, own), measure.pose_numbers(own[:, -3:])
    pictures, features = _pictures(clip, true, made, parts.judges, settings)
    return Measured(GridRow(job.model, clip.clip_id, setting.audio_scale, setting.emotion_scale, {
        "mouth_r": found.r, "mouth_r_wrong_speech": chance.r, **pictures,
        **_emotion(made, asked, setting.emotion_scale is not None, parts.judges, settings),
        "mouth_opening_std_ratio": _spread(made.curves.mouth) / max(_spread(true.curves.mouth), 1e-9),
        "keypoint_jitter": float(jitter(keypoints).mean()), "yaw_range_deg": pose["yaw_range_deg"],
        "yaw_jitter_deg": pose["yaw_jitter_deg"]}), features)


def _pictures(clip: Clip, true: measure.Seen, made: measure.Seen, judges: Judges,
              settings: AblationSettings) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """CSIM, LPIPS and, where every frame was rendered, Sync-C and Sync-D; features for the distances."""
    identity, _ = measure.identity_numbers(true, made, judges, settings.network_stride)
    pictures, features = measure.picture_numbers(true.frames, made.frames, judges, settings.network_stride)
    sound = read_wav(Path(clip.crop).with_suffix(".wav")) if judges.sync is not None else np.zeros(0, np.float32)
    kept = {name: value for name, value in (identity | measure.syncnet_numbers(made, sound, judges)).items()
            if name in (*IDENTITY, "sync_c", "sync_d")}
    return kept | pictures, features


def _emotion(made: measure.Seen, asked: str, with_emotion: bool, judges: Judges,
             settings: AblationSettings) -> dict[str, float | None]:
    """Probability of the clip's emotion, also where it is not asked for; with HSEmotion, 100 where it is seen.

    None: facex does not know the emotion, or none was asked for (Table 2 has no Emo-A there).
    """
    probabilities = measure.expression_probabilities(made, judges, settings.network_stride).mean(0)
    known = asked in judges.expression_labels
    found = {"p_asked_facex": float(probabilities[judges.expression_labels.index(asked)]) if known else None}
    if judges.emotion is not None:
        logits = judges.emotion(measure.faces_of(made, settings.network_stride, (1.0,)))
        seen = video_label(logits, judges.emotion_labels, settings.emo_a)
        found["emo_a"] = 100.0 * (seen == asked) if with_emotion else None
    return found


def _spread(curve: np.ndarray) -> float:
    return float(np.nanstd(curve))
