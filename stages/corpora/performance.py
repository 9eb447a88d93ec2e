"""A planned clip as curves: speech, mouth, lids, gaze, emotion and head, evaluated at any frame times.

What is known here (mouth opening, pose, intensity) is the truth that tests judge the pipeline by; nothing of it
goes into the corpora.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from models.face.points import IRISES, NUM_KEYPOINTS, positions
from models.landmark.shutting import shut_lids
from models.motion.camera import rotation_from_angles, transform_head_keypoints
from stages.corpora.expression import EMOTIONS, expression_displacement
from stages.corpora.head import blinks, emotion_envelope, gaze, head_motion
from stages.corpora.kokoro import KokoroVoice
from stages.corpora.mouth import mouth_opening, speech_displacement
from stages.corpora.plan import ClipPlan
from stages.corpora.portrait import Sitter
from stages.corpora.room import record
from stages.corpora.speech import Speech, Voice
from stages.corpora.track import LOUDNESS_RMS, make_track
from stages.corpora.visemes import MouthCurves, mouth_curves
from stages.corpora.voices import say

FRONTAL = 0.7  # share of the portrait's own head angles that is kept


@dataclass(frozen=True)
class Take:
    """Curves of T frames. `points` [T, 70, 3] is the head-frame face, `keypoints` [T, 70, 3] the posed one (crop
    coordinates); `opening` [T] the inner-lip gap in face widths; `angles_deg` [T, 3]; `intensity`, `blink` [T]."""

    times_s: np.ndarray
    points: np.ndarray
    keypoints: np.ndarray
    opening: np.ndarray
    angles_deg: np.ndarray
    intensity: np.ndarray
    blink: np.ndarray


def speak_plan(plan: ClipPlan, cache: Path | None = None) -> Speech:
    """All of the clip's sound before any room is heard: silences, breaths, sentences coloured by the emotion.

    `cache` is a folder that keeps spoken sentences.
    """
    voice = _voice_of(plan)
    sentences = [say(text, voice, plan.seed, cache) for text in plan.texts]
    return make_track(sentences, _rng(plan, 2))


def _rng(plan: ClipPlan, purpose: int) -> np.random.Generator:
    return np.random.default_rng([plan.seed, purpose, plan.number, plan.identity.number, len(plan.corpus)])


def _voice_of(plan: ClipPlan) -> Voice | KokoroVoice:
    """The plan's voice under its emotion: both kinds change their pace, eSpeak NG's its pitch, too."""
    style, strength, voice = EMOTIONS[plan.emotion], plan.strength, plan.voice
    pace = 1 + strength * (style.rate - 1)
    if isinstance(voice, KokoroVoice):
        return replace(voice, speed=round(voice.speed * pace, 3))
    return Voice(voice.name, round(voice.rate_wpm * pace), round(voice.pitch + strength * style.pitch),
                 round(voice.pitch_range * (1 + strength * (style.pitch_range - 1))))


def duration_s(plan: ClipPlan, speech: Speech) -> float:
    """Length of the clip, a whole number of frames."""
    frames = round(min(speech.duration_s, plan.max_duration_s or speech.duration_s) * plan.rate)
    return float(frames / plan.rate)


def soundtrack(plan: ClipPlan, speech: Speech) -> np.ndarray:
    """Waveform [N] float32 at the plan's rate, as it was recorded in some room."""
    spoken = resample_poly(speech.waveform.astype(np.float64), plan.audio_hz // 50, speech.rate_hz // 50)
    wanted = round(duration_s(plan, speech) * plan.audio_hz)
    spoken = np.pad(spoken, (0, max(0, wanted - len(spoken))))[:wanted]
    return record(spoken, LOUDNESS_RMS, plan.audio_hz, _rng(plan, 6))


def perform(plan: ClipPlan, speech: Speech, sitter: Sitter, times_s: np.ndarray) -> Take:
    """Evaluate the clip's curves at `times_s` [T] (seconds from the clip's first frame)."""
    rng = _rng(plan, 3)
    length, style = duration_s(plan, speech), EMOTIONS[plan.emotion]
    intensity = emotion_envelope(rng, length, times_s, plan.strength)
    mouth = emotional_mouth(mouth_curves(speech, times_s), plan.emotion, intensity)
    blink = blinks(rng, plan.identity.head.blinks_per_min, length, times_s)
    points = sitter.rest + speech_displacement(sitter.rest, mouth)
    points = points + intensity[:, None, None] * expression_displacement(sitter.rest, style)
    points = points + shut_lids(points, blink) + turn_irises(gaze(rng, length, times_s))
    motion = head_motion(rng, plan.identity.head, times_s, mouth.loudness)
    angles = FRONTAL * sitter.appearance.motion.angles_deg + motion["angles_deg"]
    angles = angles + intensity[:, None] * np.array([style.pitch_deg, 0.0, style.roll_deg])
    keypoints = _pose(points, sitter, angles, motion)
    return Take(times_s, points, keypoints, mouth_opening(points), angles, intensity, blink)


def emotional_mouth(mouth: MouthCurves, emotion: str, intensity: np.ndarray) -> MouthCurves:
    """Mouth controls [T] under an emotion of `intensity` [T]: more or less effort, lips parted except in closures."""
    style = EMOTIONS[emotion]
    effort = 1 + intensity * (style.effort - 1)
    spoken = effort * (1 - 0.4 * intensity * style.parted)  # a mouth that is open already opens less
    parted = intensity * style.parted * (1 - mouth.press) * (1 - 0.7 * mouth.tuck)
    return replace(mouth, opening=mouth.opening * spoken + parted, jaw=mouth.jaw * spoken + intensity * style.jaw)


def _pose(points: np.ndarray, sitter: Sitter, angles_deg: np.ndarray, motion: dict) -> np.ndarray:
    still = sitter.appearance.motion
    scale = still.s[0] * motion["scale"][:, None]
    shift = np.column_stack([still.s[0] * motion["shift"], np.zeros(len(points))])
    rotation = rotation_from_angles(angles_deg)
    return transform_head_keypoints(points, np.zeros_like(points), rotation, still.t + shift, scale)


def turn_irises(gaze: np.ndarray) -> np.ndarray:
    """Displacements [T, 70, 3] in face widths of a resting face's irises for gaze [T, 2] in face widths."""
    moved = np.zeros((len(gaze), NUM_KEYPOINTS, 3))
    moved[:, positions(IRISES), :2] += gaze[:, None]
    return moved
