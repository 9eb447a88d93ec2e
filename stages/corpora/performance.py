"""A planned clip as curves: speech, mouth, lids, gaze, emotion and head, evaluated at any frame times.

What is known here (mouth opening, pose, intensity) is the truth that tests judge the pipeline by; nothing of it
goes into the corpora.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import resample_poly

from models.motion.camera import rotation_from_angles, transform_head_keypoints
from stages.corpora.expression import EMOTIONS, expression_displacement
from stages.corpora.eyes import shut_lids, turn_irises
from stages.corpora.head import blinks, emotion_envelope, gaze, head_motion
from stages.corpora.mouth import mouth_opening, speech_displacement
from stages.corpora.plan import ClipPlan
from stages.corpora.portrait import Sitter
from stages.corpora.speech import Speech, Voice, speak
from stages.corpora.visemes import MouthCurves, mouth_curves

LEAD_S, TAIL_S = 0.25, 0.30  # silence before and after the sentence
LOUDNESS_RMS, NOISE_RMS = 0.09, 0.0008
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


def speak_plan(plan: ClipPlan) -> Speech:
    """The sentence in the identity's voice, coloured by the emotion."""
    style, voice = EMOTIONS[plan.emotion], plan.identity.voice
    strength = plan.strength
    coloured = Voice(voice.name, round(voice.rate_wpm * (1 + strength * (style.rate - 1))),
                     round(voice.pitch + strength * style.pitch),
                     round(voice.pitch_range * (1 + strength * (style.pitch_range - 1))))
    return speak(plan.text, coloured, seed=plan.seed)


def duration_s(plan: ClipPlan, speech: Speech) -> float:
    """Length of the clip, a whole number of frames."""
    whole = LEAD_S + speech.duration_s + TAIL_S
    frames = round(min(whole, plan.max_duration_s or whole) * plan.rate)
    return float(frames / plan.rate)


def soundtrack(plan: ClipPlan, speech: Speech) -> np.ndarray:
    """Waveform [N] float32 at the plan's rate: silence, sentence at an even loudness, silence, faint room noise."""
    rng = np.random.default_rng([plan.seed, 2, plan.number])
    gain = LOUDNESS_RMS / max(float(np.sqrt(np.mean(speech.waveform.astype(np.float64) ** 2))), 1e-6)
    spoken = resample_poly(speech.waveform.astype(np.float64) * gain, plan.audio_hz // 50, speech.rate_hz // 50)
    track = rng.normal(0.0, NOISE_RMS, round(duration_s(plan, speech) * plan.audio_hz))
    start = round(LEAD_S * plan.audio_hz)
    piece = spoken[:len(track) - start]
    track[start:start + len(piece)] += piece
    return np.clip(track, -0.98, 0.98).astype(np.float32)


def perform(plan: ClipPlan, speech: Speech, sitter: Sitter, times_s: np.ndarray) -> Take:
    """Evaluate the clip's curves at `times_s` [T] (seconds from the clip's first frame)."""
    rng = np.random.default_rng([plan.seed, 3, plan.number, plan.identity.number, len(plan.corpus)])
    length, style = duration_s(plan, speech), EMOTIONS[plan.emotion]
    intensity = emotion_envelope(rng, length, times_s, plan.strength)
    mouth = emotional_mouth(mouth_curves(speech, times_s - LEAD_S), plan.emotion, intensity)
    blink = blinks(rng, plan.identity.head.blinks_per_min, length, times_s)
    points = sitter.rest + speech_displacement(sitter.rest, mouth)
    points = points + intensity[:, None, None] * expression_displacement(sitter.rest, style)
    points = points + shut_lids(points, blink) + turn_irises(gaze(rng, length, times_s))
    motion = head_motion(rng, plan.identity.head, times_s, mouth.loudness)
    angles = FRONTAL * sitter.appearance.motion.angles_deg + motion["angles_deg"]
    angles = angles + intensity[:, None] * np.array([style.pitch_deg, 0.0, style.roll_deg])
    keypoints = _posed(points, sitter, angles, motion)
    return Take(times_s, points, keypoints, mouth_opening(points), angles, intensity, blink)


def emotional_mouth(mouth: MouthCurves, emotion: str, intensity: np.ndarray) -> MouthCurves:
    """Mouth controls [T] under an emotion of `intensity` [T]: more or less effort, lips parted except in closures."""
    style = EMOTIONS[emotion]
    effort = 1 + intensity * (style.effort - 1)
    spoken = effort * (1 - 0.4 * intensity * style.parted)  # a mouth that is open already opens less
    parted = intensity * style.parted * (1 - mouth.press) * (1 - 0.7 * mouth.tuck)
    return replace(mouth, opening=mouth.opening * spoken + parted, jaw=mouth.jaw * spoken + intensity * style.jaw)


def _posed(points: np.ndarray, sitter: Sitter, angles_deg: np.ndarray, motion: dict) -> np.ndarray:
    still = sitter.appearance.motion
    scale = still.s[0] * motion["scale"][:, None]
    shift = np.column_stack([still.s[0] * motion["shift"], np.zeros(len(points))])
    rotation = rotation_from_angles(angles_deg)
    return transform_head_keypoints(points, np.zeros_like(points), rotation, still.t + shift, scale)
