"""From results of jobs, one after another, to the numbers of the summary: no clip's pictures or features are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from evaluation.metrics.bootstrap import Interval, mean_interval
from evaluation.metrics.emotion import EmotionFilm
from evaluation.metrics.frechet import PairedStream
from evaluation.metrics.judges import FRECHET, IDENTITY
from evaluation.metrics.table import BY_NAME
from evaluation.results.files import Result
from evaluation.results.rows import MeasuredClip


class ClipSummary:
    """Takes clips' results one by one; holds their rows, one mean vector per clip, and streamed feature statistics."""

    def __init__(self) -> None:
        self.rows: list[MeasuredClip] = []
        self._distances: dict[str, PairedStream] = {}
        self._vectors: dict[str, list[tuple[str, np.ndarray, np.ndarray]]] = {}  # identity, portrait, made

    def add(self, result: Result[MeasuredClip]) -> None:
        self.rows.append(result.row)
        for name in FRECHET:
            if f"{name}.true" in result.arrays:
                stream = self._distances.setdefault(name, PairedStream())
                stream.add(result.arrays[f"{name}.true"], result.arrays[f"{name}.made"])
        for name in IDENTITY:
            if f"{name}.made" in result.arrays:
                self._vectors.setdefault(name, []).append(
                    (result.row.identity, result.arrays[f"{name}.portrait"], result.arrays[f"{name}.made"]))

    def metrics(self, draws: int, seed: int) -> dict[str, Interval]:
        """Mean and interval of every metric of the table that the rows hold, other people's CSIM, distances."""
        metrics = row_metrics(self.rows, draws, seed)
        for name, vectors in self._vectors.items():
            others = other_person_csim(vectors)
            if others:
                metrics[f"{name}_other"] = mean_interval(others, draws, seed)
        for name, stream in self._distances.items():
            if (interval := stream.interval()) is not None:
                metrics[name] = interval
        return metrics


def row_metrics(rows: Sequence[MeasuredClip], draws: int, seed: int) -> dict[str, Interval]:
    """Means over clips of the metrics that the table names."""
    values = {name: [float(value) for row in rows if (value := row.numbers.get(name)) is not None] for name in BY_NAME}
    return {name: mean_interval(found, draws, seed) for name, found in values.items() if found}


def other_person_csim(vectors: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> list[float]:
    """(identity, portrait [D], made [D]) of clips -> for every clip the mean cosine of its generated face with the
    portraits of other identities."""
    everyone = np.zeros(len(vectors[0][1]))
    own: dict[str, np.ndarray] = {}
    counts: dict[str, int] = {}
    for identity, portrait, _ in vectors:
        everyone = everyone + portrait
        own[identity] = own.get(identity, np.zeros_like(portrait)) + portrait
        counts[identity] = counts.get(identity, 0) + 1
    return [float((everyone - own[identity]) @ made / (len(vectors) - counts[identity]))
            for identity, _, made in vectors if len(vectors) > counts[identity]]


def distributions(rows: Sequence[MeasuredClip],
                  training: Mapping[str, list[float]]) -> dict[str, dict[str, list[float]]]:
    """Per-clip values of training and generated clips, for the report."""
    return {name: {"training": values, "generated": [row.number(name) for row in rows]}
            for name, values in training.items()}


def training_metrics(training: Mapping[str, list[float]], draws: int, seed: int) -> dict[str, Interval]:
    """The training clips' means, under the names of the metric table."""
    return {f"{name}_training": mean_interval(values, draws, seed) for name, values in training.items() if values}


def pose_is_identical(films: Iterable[EmotionFilm]) -> bool:
    """True where every clip's generated head pose has the same bytes for all emotions."""
    poses: dict[str, set[str | None]] = {}
    for film in films:
        poses.setdefault(film.clip_id, set()).add(film.pose_sha256)
    return all(len(found) == 1 for found in poses.values())


def checks(clips: Sequence[MeasuredClip], emotions: Sequence[EmotionFilm]) -> dict[str, bool]:
    """What must hold in every video; nothing is claimed of videos that were not made."""
    found = {}
    if clips:
        found["own_speech_beats_wrong_speech_in_every_clip"] = all(
            row.number("mouth_r") > row.number("mouth_r_wrong_speech") for row in clips)
    if emotions:
        found["pose_identical_over_emotions"] = pose_is_identical(emotions)
    return found
