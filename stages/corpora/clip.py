"""Render one planned clip to media files, and keep what is true of it beside them.

A finished clip is `clips/<key>.mp4` (with `<key>.m4a` where its sound is separate) and `truth/<key>.npz`; the mp4 is
written last, so where it is, the clip is whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from models.landmark.space import LandmarkFaceSpace
from models.motion.clock import FPS
from pipeline.core.atomic import atomic_path
from pipeline.media.film import write_sound, write_video
from pipeline.weights.table import weight_path
from stages.corpora.canvas import Canvas
from stages.corpora.identities import Identity
from stages.corpora.performance import Take, duration_s, perform, soundtrack, speak_plan
from stages.corpora.plan import ClipPlan
from stages.corpora.portrait import Sitter, prepare_sitter
from stages.corpora.speech import Speech

TAGS = {"comment": "synthetic: made by Playmate's corpora stage"}
CHUNK_FRAMES = 25
CRF = 18
SPEECH = "speech"  # folder beside `work` that keeps spoken sentences: other code may use them again


def media_path(work: Path, plan: ClipPlan) -> Path:
    return work / "clips" / f"{plan.key}.mp4"


def sound_path(work: Path, plan: ClipPlan) -> Path:
    return work / "clips" / f"{plan.key}.m4a"


def truth_path(work: Path, plan: ClipPlan) -> Path:
    return work / "truth" / f"{plan.key}.npz"


def make_clip(plan: ClipPlan, work: Path) -> int:
    """Write the clip under `work`; return its number of frames."""
    sitter, speech = _sitter(plan.identity), speak_plan(plan, work.parent / SPEECH)
    count = round(duration_s(plan, speech) * plan.rate)
    take = perform(plan, speech, sitter, np.arange(count) / float(plan.rate))
    canvas = _canvas(plan, sitter)
    track = soundtrack(plan, speech) if plan.sound != "none" else None
    _write_truth(truth_path(work, plan), plan, speech, sitter, take, canvas)
    if plan.sound == "separate" and track is not None:
        write_sound(sound_path(work, plan), track, plan.audio_hz)
    return write_video(media_path(work, plan), _frames(sitter, take, canvas), plan.rate,
                       track if plan.sound == "muxed" else None, plan.audio_hz, crf=CRF, tags=TAGS)


@cache
def _space() -> LandmarkFaceSpace:
    return LandmarkFaceSpace(weight_path("face_landmarker"))


@cache
def _sitter(identity: Identity) -> Sitter:
    return prepare_sitter(identity, _space())


def _canvas(plan: ClipPlan, sitter: Sitter) -> Canvas:
    rng = np.random.default_rng([plan.seed, 4, plan.number, plan.identity.number])
    side = round(plan.render_px * plan.height_px / 360 * rng.uniform(0.95, 1.1))
    return Canvas(sitter.picture, plan.width_px, plan.height_px, side, rng.uniform(-0.5, 0.5))


def _frames(sitter: Sitter, take: Take, canvas: Canvas) -> Iterator[np.ndarray]:
    for start in range(0, len(take.keypoints), CHUNK_FRAMES):
        points = take.keypoints[start:start + CHUNK_FRAMES].astype(np.float32)
        for rendered in _space().render(sitter.appearance, sitter.x_source, points):
            yield canvas.place(rendered)


def _write_truth(path: Path, plan: ClipPlan, speech: Speech, sitter: Sitter, take: Take, canvas: Canvas) -> None:
    """What tests compare with, at the clip's own rate and (suffix _25) at 25 fps."""
    length = duration_s(plan, speech)
    at_25 = perform(plan, speech, sitter, np.arange(round(length * FPS)) / FPS)
    truth: dict[str, Any] = {
        "emotion": plan.emotion, "level": plan.level, "identity": plan.identity.number, "text": " ".join(plan.texts),
        "phonemes": np.array([phoneme.ipa for phoneme in speech.phonemes], dtype="U8"),
        "phoneme_spans_s": np.array([(p.start_s, p.end_s) for p in speech.phonemes]),
        "face_box": canvas.face_box(*_extent(take))}
    for suffix, curves in (("", take), ("_25", at_25)):
        truth |= {f"{name}{suffix}": getattr(curves, name)
                  for name in ("times_s", "opening", "angles_deg", "intensity", "blink")}
    with atomic_path(path) as temporary:
        np.savez(temporary, **truth)


def _extent(take: Take) -> tuple[np.ndarray, np.ndarray]:
    points = take.keypoints[..., :2]
    return points.min((0, 1)), points.max((0, 1))
