"""Table 2's grid over the guidance scales, on a few clips: what sampling alone can vary, at one trained model.

Its columns are those of the paper's table as far as the networks in use give them, and mouths, jitter and emotion
beside them. Distances over sets of frames (FID and its substitute) are taken per setting, over all clips together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.metrics.frechet import frechet_of_features
from evaluation.metrics.judges import FRECHET
from evaluation.results.rows import GridLine, GridRow

NOTES = (
    "Guidance scales w_a and w_e of eq. 8 are varied at sampling, as in Table 2 of the paper, with the same "
    "portraits, speech and seeds; w_e is a dash where no emotion is asked for.",
    "A Fréchet distance over so few frames is biased upwards: its rows compare with each other only.",
)


@dataclass(frozen=True)
class Setting:
    """One row of the table; `emotion_scale` None: no emotion, the first stage alone."""

    audio_scale: float
    emotion_scale: float | None


@dataclass(frozen=True)
class Measured:
    """One setting on one clip: its `row`, and features for distances over all clips."""

    row: GridRow
    features: dict[str, np.ndarray]


def guidance_grid(audio_scales: Sequence[float], emotion_scales: Sequence[float], chosen_audio: float) -> list[Setting]:
    """Table 2: every w_a without emotion, then every w_e at the chosen w_a."""
    return [*(Setting(scale, None) for scale in audio_scales),
            *(Setting(chosen_audio, scale) for scale in emotion_scales)]


def table(found: Sequence[Measured], grid: Sequence[Setting]) -> list[GridLine]:
    """Means over clips that have the number (None where none has it) and distances over all clips' frames, one line per
    setting, in the order of the grid."""
    lines = []
    for setting in grid:
        group = [one for one in found if (one.row.w_a, one.row.w_e) == (setting.audio_scale, setting.emotion_scale)]
        if group:
            means = {name: average_known([one.row.numbers[name] for one in group]) for name in group[0].row.numbers}
            lines.append(GridLine(setting.audio_scale, setting.emotion_scale, {**means, **_distances(group)},
                                  len(group)))
    return lines


def average_known(numbers: Sequence[float | None]) -> float | None:
    """The mean of those that are known; None where none is."""
    known = [number for number in numbers if number is not None]
    return float(np.mean(known)) if known else None


def _distances(group: Sequence[Measured]) -> dict[str, float]:
    found = {}
    for name in FRECHET:
        if f"{name}.true" in group[0].features:
            sides = [np.concatenate([one.features[f"{name}.{side}"] for one in group]) for side in ("true", "made")]
            if min(map(len, sides)) > 1:
                found[name] = frechet_of_features(*sides)
    return found
