"""Which clips are evaluated and with what: pure functions of the store, the split and params.yaml."""

from __future__ import annotations

import numpy as np

from evaluation.jobs.clip import FPS, Clip, ClipJob
from evaluation.jobs.emotion import EmotionJob, TrueEmotionJob
from evaluation.jobs.shown import POSES, DialJob, PoseJob, SeedJob
from evaluation.metrics.emotion import NEUTRAL
from feature_store.reader import ClipFeatures, FeatureStore
from pipeline.core import paths
from pipeline.core.config import Evaluate, Params
from pipeline.core.fingerprint import digest
from pipeline.core.split_table import TEST, clips_of


def test_clips(store: FeatureStore, split: dict[str, str], params: Params, max_clips: int,
               max_duration_s: float) -> list[Clip]:
    """At most `max_clips` test clips, evenly spread over the ids, cut to `max_duration_s`.

    Raises ValueError where there is none.
    """
    rows = store.clips(clips_of(split, TEST))
    if not rows:
        raise ValueError("no test clip has features: see data/split/split.json and the rejects of preprocess and "
                         "extract")
    picked = pick_evenly([row.clip_id for row in rows], max_clips)
    return [_clip(store.load(clip_id), params.seed, round(max_duration_s * FPS)) for clip_id in picked]


def _clip(features: ClipFeatures, root_seed: int, frames: int) -> Clip:
    row = features.clip
    crop = (paths.CROPS / row.corpus / f"{row.clip_id}.mp4").resolve()
    seed = int(digest(root_seed, "evaluate", row.clip_id)[:7], 16)
    return Clip(row.clip_id, row.corpus, row.identity, str(crop), features.x_c, features.motion[:frames],
                np.asarray(features.speech[:frames], np.float32), seed)


def clip_jobs(clips: list[Clip]) -> list[ClipJob]:
    """Every clip with its own speech and, as control, the next clip's (its own turned by half where it is alone)."""
    jobs = []
    for index, clip in enumerate(clips):
        other = clips[(index + 1) % len(clips)]
        wrong = np.roll(clip.speech, len(clip) // 2, axis=0) if other is clip else other.speech
        jobs.append(ClipJob(clip, wrong[:len(clip)], other.clip_id))
    return jobs


def emotion_jobs(clips: list[Clip], section: Evaluate) -> list[EmotionJob]:
    """Neutral and every asked emotion on the first clips of different people."""
    frames = round(section.emotion_duration_s * FPS)
    emotions = list(dict.fromkeys([NEUTRAL, *section.emotions]))
    people = list({clip.identity: clip for clip in reversed(clips)}.values())[::-1]
    chosen = [*people, *(clip for clip in clips if clip not in people)][:section.emotion_clips]
    return [EmotionJob(_shorten(clip, frames), emotion) for clip in chosen for emotion in emotions]


def pose_jobs(clips: list[Clip], section: Evaluate) -> list[PoseJob]:
    """The first clip with every pose; the movement is the next clip's (its own, backwards, where it is alone)."""
    if not clips or not section.emotion_clips:
        return []
    frames = round(section.emotion_duration_s * FPS)
    other = clips[1].motion if len(clips) > 1 else clips[0].motion[::-1]
    return [PoseJob(_shorten(clips[0], frames), pose, np.ascontiguousarray(other[:frames, -7:])) for pose in POSES]


def seed_jobs(clips: list[Clip], section: Evaluate) -> list[SeedJob]:
    """The first clip with `seeds` seeds, its own the first."""
    frames = round(section.emotion_duration_s * FPS)
    return [SeedJob(_shorten(clip, frames), offset) for clip in clips[:1] for offset in range(section.seeds)]


def dial_jobs(clips: list[Clip], section: Evaluate, knows_eyes: bool) -> list[DialJob]:
    """The first clip with every dial at its values; those of the eyes where the face space `knows_eyes`."""
    frames = round(section.dials.duration_s * FPS)
    return [DialJob(_shorten(clip, frames), dial, value) for clip in clips[:1]
            for dial, value in section.dials.shown if knows_eyes or dial not in ("blink", "gaze")]


def true_emotion_jobs(store: FeatureStore, section: Evaluate, seed: int) -> list[TrueEmotionJob]:
    """True clips with an emotion of people who have a neutral clip too, with those: `true_emotion_clips` at most.

    They judge the classifier and not the model, so it does not matter which split they are in.
    """
    labelled = [(row, row.emotion) for row in store.clips() if row.emotion is not None]
    rows = [row for row, _ in labelled]
    neutral = {row.identity for row in rows if row.emotion == NEUTRAL}
    emotional = [row for row in rows if row.identity in neutral and row.emotion != NEUTRAL]
    picked = set(pick_evenly([row.clip_id for row in emotional], section.true_emotion_clips))
    people = {row.identity for row in emotional if row.clip_id in picked}
    frames = round(section.max_duration_s * FPS)
    return [TrueEmotionJob(_clip(store.load(row.clip_id), seed, frames), emotion) for row, emotion in labelled
            if row.clip_id in picked or (row.identity in people and emotion == NEUTRAL)]


def _shorten(clip: Clip, frames: int) -> Clip:
    return Clip(**{**vars(clip), "motion": clip.motion[:frames], "speech": clip.speech[:frames]})


def pick_evenly(ids: list[str], count: int) -> list[str]:
    """At most `count` of sorted `ids`, evenly spread, so that every corpus is in it in its share."""
    picked = np.unique(np.linspace(0, len(ids) - 1, min(count, len(ids))).round().astype(int))
    return [sorted(ids)[index] for index in picked] if ids else []
