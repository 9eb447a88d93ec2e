"""Emotion agreement: does a video show the label that it was asked for, in the eyes of an independent classifier?

Two answers. `emo_agree`: the label is the most probable class. `emo_shift`: the label gained most against the neutral
video of the same person. A classifier that reads the skin sees one resting label whatever the face does; the second
answer takes that away, because it is in both videos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from evaluation.metrics.bootstrap import Interval, mean_interval, statistic_interval

NEUTRAL = "neutral"
LOG_FLOOR = 1e-4  # added to a probability: below it the classifier's answers are rounding
P, LOG_P = "p_", "logp_"  # columns of a row, before the label's name


def scores(probabilities: np.ndarray, labels: Sequence[str]) -> dict[str, float]:
    """Frames' class probabilities [n, L] -> their mean (`p_<label>`) and mean log (`logp_<label>`).

    The mean log is the classifiers' usual rule for videos (mean of logits) where only probabilities are known.
    """
    probabilities = np.asarray(probabilities, np.float64)
    means, logs = probabilities.mean(0), np.log(probabilities + LOG_FLOOR).mean(0)
    return ({P + name: float(value) for name, value in zip(labels, means, strict=True)}
            | {LOG_P + name: float(value) for name, value in zip(labels, logs, strict=True)})


def label_shifts(row: Mapping[str, Any], neutral: Mapping[str, Any]) -> dict[str, float]:
    """Gain of every label's mean log probability over the neutral video, in nats; `neutral` itself is no candidate."""
    return {name.removeprefix(LOG_P): row[name] - neutral[name] for name in row
            if name.startswith(LOG_P) and name != LOG_P + NEUTRAL}


def emotion_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Generated videos' rows with the change against the neutral video of the same clip (None where there is none)."""
    neutral = {row["clip_id"]: row for row in rows if row["emotion"] == NEUTRAL}
    return [row | _against(row, neutral.get(row["clip_id"])) for row in rows]


def true_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """True videos' rows with the change against the mean of the same person's true neutral videos."""
    return [row | _shift(row, _mean_neutral(row["identity"], rows)) for row in rows]


def emotion_metrics(rows: Sequence[dict[str, Any]], draws: int, seed: int) -> dict[str, Interval]:
    """Agreement, chance and gain over videos with an emotion that the classifier knows; neutral does not count."""
    rows = _rows_that_count(rows)
    if not rows:
        return {}
    asked, seen = [row["emotion"] for row in rows], [row["seen"] for row in rows]
    metrics = {"emo_agree_facex": agreement(asked, seen, draws, seed),
               "emo_agree_facex_chance": chance_agreement(asked, seen, draws, seed)}
    gains = [row["probability"] - row["probability_neutral"] for row in rows if row["probability_neutral"] is not None]
    if gains:
        metrics["emo_target_gain_facex"] = mean_interval(gains, draws, seed)
    return metrics | shift_metrics(rows, draws, seed, "emo_shift_facex")


def shift_metrics(rows: Sequence[dict[str, Any]], draws: int, seed: int, name: str) -> dict[str, Interval]:
    """Agreement by shift and its chance level over `emotion_rows` or `true_rows`."""
    rows = [row for row in _rows_that_count(rows) if row["seen_shift"] is not None]
    if not rows:
        return {}
    asked, seen = [row["emotion"] for row in rows], [row["seen_shift"] for row in rows]
    return {name: agreement(asked, seen, draws, seed),
            f"{name}_chance": chance_agreement(asked, seen, draws, seed),
            f"{name}_nats": mean_interval([row["shift"] for row in rows], draws, seed)}


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


def _rows_that_count(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["emotion"] != NEUTRAL and row.get(P + row["emotion"]) is not None]


def _against(row: dict[str, Any], neutral: dict[str, Any] | None) -> dict[str, Any]:
    key = P + row["emotion"]
    shifts = {name: None if neutral is None else row[source] - neutral[source] for name, source in (
        ("brow_shift", "brow_height"), ("corner_shift", "corner_height"), ("eye_shift", "eye_opening"))}
    return {"probability": row.get(key), "probability_neutral": None if neutral is None else neutral.get(key),
            **shifts, **_shift(row, neutral)}


def _shift(row: Mapping[str, Any], neutral: Mapping[str, Any] | None) -> dict[str, Any]:
    """`seen_shift`: the label that gained most; `shift`: the own label's gain, in nats."""
    if neutral is None or row["emotion"] == NEUTRAL:
        return {"seen_shift": None, "shift": None}
    shifts = label_shifts(row, neutral)
    return {"seen_shift": max(shifts, key=shifts.__getitem__) if shifts else None, "shift": shifts.get(row["emotion"])}


def _mean_neutral(identity: str, rows: Sequence[dict[str, Any]]) -> dict[str, float] | None:
    found = [row for row in rows if row["identity"] == identity and row["emotion"] == NEUTRAL]
    if not found:
        return None
    return {name: float(np.mean([row[name] for row in found])) for name in found[0] if name.startswith(LOG_P)}


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


def emo_a(rows: Sequence[dict[str, Any]], draws: int, seed: int) -> dict[str, Interval]:
    """Percent over videos (`emotion` asked, `emo_a_seen` seen), and per class asked for as `emo_a.<class>`."""
    rows = [row for row in rows if row.get("emo_a_seen") is not None]
    metrics = {}
    for name in ("", *sorted({row["emotion"] for row in rows})):
        group = [row for row in rows if name in ("", row["emotion"])]
        if group:
            hits = [100.0 * (row["emo_a_seen"] == row["emotion"]) for row in group]
            metrics["emo_a" + (f".{name}" if name else "")] = mean_interval(hits, draws, seed)
    return metrics
