"""Emotion agreement: does a video show the label that it was asked for, in the eyes of an independent classifier?

Two answers. `emo_agree`: the label is the most probable class. `emo_shift`: the label gained most against the neutral
video of the same person. A classifier that reads the skin sees one resting label whatever the face does; the second
answer takes that away, because it is in both videos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from evaluation.metrics.bootstrap import Interval, mean_interval, statistic_interval

NEUTRAL = "neutral"
LOG_FLOOR = 1e-4  # added to a probability: below it the classifier's answers are rounding


@dataclass(frozen=True)
class EmotionFilm:
    """A film that was asked for an emotion, or a true one with this label, and what the classifiers in use see in it;
    heights and openings are means over frames, in distances of the outer eye corners."""

    clip_id: str
    corpus: str
    identity: str
    emotion: str
    frames: int
    brow_height: float
    corner_height: float
    eye_opening: float
    mouth_opening: float
    seen: str | None = None  # facex's most probable label
    probabilities: Mapping[str, float] = field(default_factory=dict)  # facex's, by label
    log_probabilities: Mapping[str, float] = field(default_factory=dict)
    emo_a_seen: str | None = None  # HSEmotion's label
    pose_sha256: str | None = None  # of the head pose that was generated


@dataclass(frozen=True)
class Change:
    """A generated film against the neutral one of the same clip; None where there is none, or no such label."""

    probability: float | None  # of the label that was asked for
    probability_neutral: float | None
    brow_shift: float | None
    corner_shift: float | None
    eye_shift: float | None


@dataclass(frozen=True)
class EmotionRow:
    """A film and its change against the neutral of the same person; `change` of generated films alone."""

    film: EmotionFilm
    seen_shift: str | None  # the label that gained most
    shift: float | None  # the own label's gain, in nats
    change: Change | None = None


def scores(probabilities: np.ndarray, labels: Sequence[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Frames' class probabilities [n, L] -> their means and mean logs, by label.

    The mean log is the classifiers' usual rule for videos (mean of logits) where only probabilities are known.
    """
    probabilities = np.asarray(probabilities, np.float64)
    means, logs = probabilities.mean(0), np.log(probabilities + LOG_FLOOR).mean(0)
    return ({name: float(value) for name, value in zip(labels, means, strict=True)},
            {name: float(value) for name, value in zip(labels, logs, strict=True)})


def label_shifts(logs: Mapping[str, float], neutral: Mapping[str, float]) -> dict[str, float]:
    """Gain of every label's mean log probability over the neutral video, in nats; `neutral` itself is no candidate."""
    return {name: value - neutral[name] for name, value in logs.items() if name != NEUTRAL}


def emotion_rows(films: Sequence[EmotionFilm]) -> list[EmotionRow]:
    """Generated films with the change against the neutral one of the same clip."""
    neutral = {film.clip_id: film for film in films if film.emotion == NEUTRAL}
    return [_against(film, neutral.get(film.clip_id)) for film in films]


def true_rows(films: Sequence[EmotionFilm]) -> list[EmotionRow]:
    """True films with the change against the mean of the same person's true neutral ones."""
    return [EmotionRow(film, *_shift(film, _mean_neutral(film.identity, films))) for film in films]


def emotion_metrics(rows: Sequence[EmotionRow], draws: int, seed: int) -> dict[str, Interval]:
    """Agreement, chance and gain over videos with an emotion that the classifier knows; neutral does not count."""
    rows = _rows_that_count(rows)
    metrics = _agreements([(row.film.emotion, row.film.seen) for row in rows], draws, seed, "emo_agree_facex")
    changes = [row.change for row in rows if row.change is not None]
    gains = [change.probability - change.probability_neutral for change in changes
             if change.probability is not None and change.probability_neutral is not None]
    if gains:
        metrics["emo_target_gain_facex"] = mean_interval(gains, draws, seed)
    return metrics | shift_metrics(rows, draws, seed, "emo_shift_facex")


def shift_metrics(rows: Sequence[EmotionRow], draws: int, seed: int, name: str) -> dict[str, Interval]:
    """Agreement by shift and its chance level over `emotion_rows` or `true_rows`."""
    rows = _rows_that_count(rows)
    metrics = _agreements([(row.film.emotion, row.seen_shift) for row in rows], draws, seed, name)
    gains = [row.shift for row in rows if row.shift is not None]
    if gains:
        metrics[f"{name}_nats"] = mean_interval(gains, draws, seed)
    return metrics


def _agreements(labels: Sequence[tuple[str, str | None]], draws: int, seed: int, name: str) -> dict[str, Interval]:
    """Of (asked, seen): agreement and its chance level; a film in which nothing is seen does not count."""
    known = [(asked, seen) for asked, seen in labels if seen is not None]
    if not known:
        return {}
    both = [asked for asked, _ in known], [seen for _, seen in known]
    return {name: agreement(*both, draws, seed), f"{name}_chance": chance_agreement(*both, draws, seed)}


def agreement(asked: Sequence[str], seen: Sequence[str], draws: int, seed: int) -> Interval:
    """Share of videos whose label is seen, with its interval."""
    return mean_interval([float(a == s) for a, s in zip(asked, seen, strict=True)], draws, seed)


def chance_agreement(asked: Sequence[str], seen: Sequence[str], draws: int, seed: int) -> Interval:
    """Expected agreement when the labels asked for are dealt out at random: an answer that is always the same gains
    nothing. With N videos, the sum over labels of (times asked) x (times seen) / N^2."""
    labels = sorted({*asked, *seen})

    def chance(asked_index: np.ndarray, seen_index: np.ndarray, axis: int) -> np.ndarray:
        return sum(((asked_index == k).mean(axis) * (seen_index == k).mean(axis) for k in range(len(labels))),
                   start=np.zeros(()))

    indices = tuple(np.array([labels.index(name) for name in names]) for names in (asked, seen))
    return statistic_interval(indices, chance, draws, seed)


def _rows_that_count(rows: Sequence[EmotionRow]) -> list[EmotionRow]:
    return [row for row in rows if row.film.emotion != NEUTRAL and row.film.emotion in row.film.probabilities]


def _against(film: EmotionFilm, neutral: EmotionFilm | None) -> EmotionRow:
    known = film.probabilities.get(film.emotion)
    if neutral is None:
        return EmotionRow(film, None, None, Change(known, None, None, None, None))
    change = Change(known, neutral.probabilities.get(film.emotion), film.brow_height - neutral.brow_height,
                    film.corner_height - neutral.corner_height, film.eye_opening - neutral.eye_opening)
    return EmotionRow(film, *_shift(film, neutral.log_probabilities), change)


def _shift(film: EmotionFilm, neutral: Mapping[str, float] | None) -> tuple[str | None, float | None]:
    """The label that gained most over the mean logs of `neutral`, and the own label's gain, in nats."""
    if neutral is None or film.emotion == NEUTRAL:
        return None, None
    shifts = label_shifts(film.log_probabilities, neutral)
    return max(shifts, key=shifts.__getitem__) if shifts else None, shifts.get(film.emotion)


def _mean_neutral(identity: str, films: Sequence[EmotionFilm]) -> dict[str, float] | None:
    found = [film.log_probabilities for film in films if film.identity == identity and film.emotion == NEUTRAL]
    return {name: float(np.mean([logs[name] for logs in found])) for name in found[0]} if found else None


Aggregation = Literal["mean_logits", "mean_probs", "vote"]


def video_label(logits: np.ndarray, labels: Sequence[str], how: Aggregation) -> str:
    """Frames' logits [T, L] -> the video's label; a tied vote goes to the label that comes first."""
    logits = np.asarray(logits, np.float64)
    if how == "mean_logits":
        return labels[int(logits.mean(0).argmax())]
    if how == "mean_probs":
        shares = np.exp(logits - logits.max(1, keepdims=True))
        return labels[int((shares / shares.sum(1, keepdims=True)).mean(0).argmax())]
    return labels[int(np.bincount(logits.argmax(1), minlength=len(labels)).argmax())]


def emo_a(films: Sequence[EmotionFilm], draws: int, seed: int) -> dict[str, Interval]:
    """Percent over videos in which HSEmotion sees the label asked for, and per class asked for as `emo_a.<class>`."""
    films = [film for film in films if film.emo_a_seen is not None]
    metrics = {}
    for name in ("", *sorted({film.emotion for film in films})):
        group = [film for film in films if name in ("", film.emotion)]
        if group:
            hits = [100.0 * (film.emo_a_seen == film.emotion) for film in group]
            metrics["emo_a" + (f".{name}" if name else "")] = mean_interval(hits, draws, seed)
    return metrics
