"""Emo-A: the share of videos in which HSEmotion sees the emotion asked for, with a table per class, by name.

The paper gives no rule for a whole video. The usual one is the mean of the frames' logits; two others are a switch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from evaluation.bootstrap import Interval, mean_interval

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
