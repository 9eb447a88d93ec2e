"""Table 2's grid over the guidance scales, on a few clips: what sampling alone can vary, at one trained model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation import measure
from evaluation.jobs import Clip
from evaluation.motion import jitter
from evaluation.parts import Parts, Portrait, driving_keypoints, generate_motions, make_portrait, render_motion
from models.emotions import emotion_weights
from pipeline.media import read_crop

NOTES = (
    "Guidance scales w_a and w_e of eq. 8 are varied at sampling, as in Table 2 of the paper, with the same "
    "portraits, speech and seeds; w_e is a dash where no emotion is asked for.",
)


@dataclass(frozen=True)
class Setting:
    """One row of the table; `emotion_scale` None: no emotion, the first stage alone."""

    audio_scale: float
    emotion_scale: float | None


@dataclass(frozen=True)
class AblationSettings:
    """How a row is measured."""

    emotion: str  # that is asked for in rows with an emotion scale
    frame_stride: int  # of the frames that are rendered
    max_lag_frames: int


def guidance_grid(audio_scales: Sequence[float], emotion_scales: Sequence[float], chosen_audio: float) -> list[Setting]:
    """Table 2: every w_a without emotion, then every w_e at the chosen w_a."""
    return [*(Setting(scale, None) for scale in audio_scales),
            *(Setting(chosen_audio, scale) for scale in emotion_scales)]


def ablate_clip(clip: Clip, wrong_speech: np.ndarray, grid: Sequence[Setting], parts: Parts,
                settings: AblationSettings) -> list[dict[str, Any]]:
    """One row per setting for one clip; raises FaceNotFound or ValueError."""
    frames = read_crop(Path(clip.crop), range(len(clip)))
    portrait = make_portrait(parts.space, frames[0])
    true = measure.look_at(frames[::settings.frame_stride], parts.judges)
    return [_row(clip, wrong_speech, portrait, true, setting, parts, settings) for setting in grid]


def _row(clip: Clip, wrong_speech: np.ndarray, portrait: Portrait, true: measure.Seen, setting: Setting, parts: Parts,
         settings: AblationSettings) -> dict[str, Any]:
    scales, emotion = {"audio_scale": setting.audio_scale}, None
    if setting.emotion_scale is not None:
        scales["emotion_scale"] = setting.emotion_scale
        emotion = emotion_weights({settings.emotion: 1.0}, parts.generator.labels)
    own, wrong = generate_motions(parts, portrait, [clip.speech, wrong_speech], [clip.seed] * 2, emotion, **scales)
    stride, lag = settings.frame_stride, settings.max_lag_frames // settings.frame_stride
    made = measure.look_at(render_motion(parts.space, portrait, own[::stride]), parts.judges)
    control = measure.look_at(render_motion(parts.space, portrait, wrong[::stride]), parts.judges)
    found = measure.mouth_correlation(true.curves.mouth, made.curves.mouth, lag)
    chance = measure.mouth_correlation(true.curves.mouth[:len(control.curves)], control.curves.mouth, lag)
    probabilities = measure.expression_probabilities(made, parts.judges, stride).mean(0)
    asked = parts.judges.expression_labels.index(settings.emotion)
    keypoints, pose = driving_keypoints(parts.space, portrait, own), measure.pose_numbers(own[:, -3:])
    return {"clip_id": clip.clip_id, "w_a": setting.audio_scale, "w_e": setting.emotion_scale,
            "mouth_r": found.r, "mouth_r_wrong_speech": chance.r,
            "mouth_opening_std_ratio": _spread(made.curves.mouth) / max(_spread(true.curves.mouth), 1e-9),
            "keypoint_jitter": float(jitter(keypoints).mean()), "yaw_range_deg": pose["yaw_range_deg"],
            "yaw_jitter_deg": pose["yaw_jitter_deg"], f"p_{settings.emotion}_facex": float(probabilities[asked])}


def _spread(curve: np.ndarray) -> float:
    return float(np.nanstd(curve))


def table(rows: Sequence[dict[str, Any]], grid: Sequence[Setting]) -> list[dict[str, Any]]:
    """Means over clips, one line per setting, in the order of the grid."""
    lines = []
    for setting in grid:
        group = [row for row in rows if (row["w_a"], row["w_e"]) == (setting.audio_scale, setting.emotion_scale)]
        if group:
            names = [name for name in group[0] if name not in ("clip_id", "model", "w_a", "w_e")]
            lines.append({"w_a": setting.audio_scale, "w_e": setting.emotion_scale,
                          **{name: float(np.mean([row[name] for row in group])) for name in names},
                          "clips": len(group)})
    return lines
