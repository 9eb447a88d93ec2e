"""What a finished training leaves for DVC: curve and end values. No times, so that a rerun gives equal bytes."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from pipeline.core.atomic import write_json, write_text

CURVE, METRICS = "curve.csv", "metrics.json"


def write_history(folder: Path, history: list[dict[str, float]], facts: dict[str, Any]) -> None:
    """Write `curve.csv` (one row a logged step, empty cells where there was no validation) and `metrics.json`."""
    names = list(dict.fromkeys(name for row in history for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in history)
    write_text(folder / CURVE, text.getvalue())
    write_json(folder / METRICS, {**facts, **summary(history)})


def write_untrained(folder: Path, facts: dict[str, Any]) -> None:
    """The same files of a stage that trains nothing: a curve without rows, and `facts`."""
    write_text(folder / CURVE, "step,loss,loss_expression,loss_pose\n")
    write_json(folder / METRICS, {**facts, "steps": 0})


def summary(history: list[dict[str, float]]) -> dict[str, float]:
    """First and last values of every column, and how much of the loss the training took away.

    `learned` is 1 - last / first of the expression loss; near 0 the run learned nothing.
    """
    first, last = history[0], history[-1]
    validated = [row for row in history if "validation_loss" in row]
    numbers = {"steps": int(last["step"]), "loss_first": first["loss"], "loss_last": last["loss"],
               "loss_expression_last": last["loss_expression"], "loss_pose_last": last["loss_pose"],
               "learned": 1 - last["loss_expression"] / first["loss_expression"]}
    if validated:
        numbers |= {name: value for name, value in validated[-1].items() if name.startswith("validation")}
        numbers["validation_best"] = min(row["validation_loss"] for row in validated)
    return {name: round(value, 6) for name, value in numbers.items()}
