"""What a curve says: which validation was the best, whether progress has ended, whether anything was learned at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Row = dict[str, float]
BestBy = Literal["loss", "r"]  # the lowest `validation_loss`, or the highest `validation_r`
ENDS = 3  # logged rows at either end whose mean counts as the loss there


@dataclass(frozen=True)
class Verdict:
    """`shares`: loss that training took away, and loss that the wrong condition adds on held-out clips."""

    learned: bool
    sentence: str
    shares: dict[str, float]


def is_best(history: list[Row], best_by: BestBy = "loss") -> bool:
    """Whether the newest row holds the best validation so far (the first of equal ones)."""
    losses = _losses(history, best_by)
    return bool(history) and "validation_loss" in history[-1] and all(losses[-1] < loss for loss in losses[:-1])


def validations_since_best(history: list[Row], min_improvement: float, best_by: BestBy = "loss") -> int:
    """Validations after the last one that bettered the best by at least the share `min_improvement` of it."""
    lowest, since = None, 0
    for loss in _losses(history, best_by):
        if lowest is None or loss < lowest - abs(lowest) * min_improvement:
            lowest, since = loss, 0
        else:
            since += 1
    return since


def _losses(history: list[Row], best_by: BestBy) -> list[float]:
    """Of every validation what is to be low."""
    return [row["validation_loss"] if best_by == "loss" else -row["validation_r"]
            for row in history if "validation_loss" in row]


def verdict(history: list[Row], min_learned: float) -> Verdict:
    """Judge a finished run.

    It learned nothing where neither the training loss fell by the share `min_learned` nor held-out clips lose by that
    share when they are given the wrong speech (stage 2: the wrong emotion). One that starts from a trained bundle may
    lower the loss no more, and passes by the second.
    """
    shares = {"loss_fell": 1 - _end(history[-ENDS:]) / _end(history[:1])}
    last = next((row for row in reversed(history) if "validation_loss" in row), {})
    for name in ("speech", "emotion"):
        wrong = last.get(f"validation_wrong_{name}")
        if wrong is not None:
            shares[f"{name}_matters"] = 1 - last["validation_expression"] / wrong
    condition = shares.get("emotion_matters", shares.get("speech_matters"))
    learned = shares["loss_fell"] >= min_learned or (condition is not None and condition >= min_learned)
    return Verdict(learned, _sentence(learned, shares, min_learned), shares)


def _sentence(learned: bool, shares: dict[str, float], limit: float) -> str:
    fell = shares["loss_fell"]
    text = f"the expression loss {'fell' if fell >= 0 else 'rose'} by {abs(fell):.0%}"
    for name in ("speech", "emotion"):
        share = shares.get(f"{name}_matters")
        if share is not None:
            text += (f"; held-out clips lose {share:.0%} by the wrong {name}" if share >= limit
                     else f"; the {name} makes no difference on held-out clips ({share:.1%})")
    return text if learned else f"LEARNED NOTHING: {text}"


def _end(rows: list[Row]) -> float:
    return sum(row["loss_expression"] for row in rows) / len(rows)
