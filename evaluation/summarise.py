"""From results of jobs to the numbers of the summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.bootstrap import Interval, mean_interval
from evaluation.frechet import Moments, jackknife_interval, merge
from evaluation.jobs import Result
from evaluation.metric_table import BY_NAME

GROUPS = 10  # of the jackknife: memory and time stay the same for any number of clips
NEUTRAL = "neutral"


def clip_metrics(results: Sequence[Result], draws: int, seed: int) -> dict[str, Interval]:
    """Mean and interval of every metric of the table that clip rows hold, CSIM of other people, Frechet distance."""
    rows = [result.row for result in results]
    metrics = {name: interval for name in BY_NAME if (interval := _mean(rows, name, draws, seed)) is not None}
    others = other_person_csim(results)
    if others:
        metrics["csim_mobilefacenet_other"] = mean_interval(others, draws, seed)
    if results:
        metrics["fd_efficientnet_lite0"] = feature_distance(results)
    return metrics


def other_person_csim(results: Sequence[Result]) -> list[float]:
    """For every clip the mean cosine of its generated face with the portraits of other identities."""
    values = []
    for result in results:
        others = [other.arrays["portrait_vector"] for other in results
                  if other.row["identity"] != result.row["identity"]]
        if others:
            values.append(float(np.mean(np.stack(others) @ result.arrays["made_vector"])))
    return values


def feature_distance(results: Sequence[Result]) -> Interval:
    """Frechet distance of generated against true frames; jackknife over groups of clips."""
    groups = [results[start::min(GROUPS, len(results))] for start in range(min(GROUPS, len(results)))]
    true = [merge([Moments.of(result.arrays["true_features"]) for result in group]) for group in groups]
    made = [merge([Moments.of(result.arrays["made_features"]) for result in group]) for group in groups]
    if len(groups) < 2:
        from evaluation.frechet import frechet_of_moments

        return Interval(frechet_of_moments(true[0], made[0]), None, None, len(results))
    value, low, high = jackknife_interval(true, made)
    return Interval(value, low, high, len(results))


def distributions(results: Sequence[Result], training: Mapping[str, list[float]]) -> dict[str, dict[str, list[float]]]:
    """Per-clip values of training and generated clips, for the report."""
    return {name: {"training": values, "generated": [result.row[name] for result in results]}
            for name, values in training.items()}


def training_metrics(training: Mapping[str, list[float]], draws: int, seed: int) -> dict[str, Interval]:
    """The training clips' means, under the names of the metric table."""
    return {f"{name}_training": mean_interval(values, draws, seed) for name, values in training.items() if values}


def emotion_rows(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Rows with the change against the neutral video of the same clip (None where it was not made)."""
    neutral = {result.row["clip_id"]: result.row for result in results if result.row["emotion"] == NEUTRAL}
    return [row | _against(row, neutral.get(row["clip_id"])) for row in (result.row for result in results)]


def emotion_metrics(rows: Sequence[dict[str, Any]], draws: int, seed: int) -> dict[str, Interval]:
    """Agreement, chance and gain over rows with an emotion that the classifier knows; neutral does not count."""
    rows = [row for row in rows if row["emotion"] != NEUTRAL and row["probability"] is not None]
    if not rows:
        return {}
    asked, seen = [row["emotion"] for row in rows], [row["seen"] for row in rows]
    hits = [float(a == s) for a, s in zip(asked, seen, strict=True)]
    gains = [row["probability"] - row["probability_neutral"] for row in rows if row["probability_neutral"] is not None]
    metrics = {"emo_agree_facex": mean_interval(hits, draws, seed),
               "emo_agree_facex_chance": Interval(chance_agreement(asked, seen), None, None, len(rows))}
    if gains:
        metrics["emo_target_gain_facex"] = mean_interval(gains, draws, seed)
    return metrics


def chance_agreement(asked: Sequence[str], seen: Sequence[str]) -> float:
    """Expected agreement when the labels asked for are dealt out at random: an answer that is always the same gains
    nothing."""
    return float(np.mean([[a == s for a in asked] for s in seen]))


def pose_is_identical(results: Sequence[Result]) -> bool:
    """True where every clip's generated head pose has the same bytes for all emotions."""
    poses: dict[str, set[str]] = {}
    for result in results:
        poses.setdefault(result.row["clip_id"], set()).add(result.row["pose_sha256"])
    return all(len(found) == 1 for found in poses.values())


def checks(clips: Sequence[Result], emotions: Sequence[Result]) -> dict[str, bool]:
    """What must hold in every video; nothing is claimed of videos that were not made."""
    found = {}
    if clips:
        found["own_speech_beats_wrong_speech_in_every_clip"] = all(
            result.row["mouth_r"] > result.row["mouth_r_wrong_speech"] for result in clips)
    if emotions:
        found["pose_identical_over_emotions"] = pose_is_identical(emotions)
    return found


def _mean(rows: list[dict[str, Any]], name: str, draws: int, seed: int) -> Interval | None:
    values = [float(row[name]) for row in rows if row.get(name) is not None]
    return mean_interval(values, draws, seed) if values else None


def _against(row: dict[str, Any], neutral: dict[str, Any] | None) -> dict[str, Any]:
    key = f"p_{row['emotion']}"
    shifts = {name: None if neutral is None else row[source] - neutral[source] for name, source in (
        ("brow_shift", "brow_height"), ("corner_shift", "corner_height"), ("eye_shift", "eye_opening"))}
    return {"probability": row.get(key), "probability_neutral": None if neutral is None else neutral.get(key), **shifts}
