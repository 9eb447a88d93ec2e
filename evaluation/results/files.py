"""The files of an evaluation: per-clip rows, one summary with intervals and protocol, flat numbers, curves."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from evaluation.metrics.bootstrap import Interval
from pipeline.core.atomic import atomic_path, write_json, write_text

CLIPS, EMOTIONS, SUMMARY, METRICS = "clips.parquet", "emotions.parquet", "summary.json", "metrics.json"
CURVES, FIRST_CURVE, DISTRIBUTIONS, VIDEOS = "mouth_curves.csv", "mouth_curve.csv", "distributions.json", "videos"
EMOTION_VIDEO, POSE_VIDEO = "emotions.mp4", "poses.mp4"
MEASURED, FAILED = "measured", "failed"  # status of a clip row
VERSION = 1


@dataclass(frozen=True)
class Summary:
    """`metrics`: name -> interval. `protocol`: what must be the same for two summaries to be comparable."""

    metrics: dict[str, Interval]
    protocol: dict[str, Any]
    clips: int
    failures: list[dict[str, Any]] = field(default_factory=list)
    checks: dict[str, bool] = field(default_factory=dict)
    version: int = VERSION


@dataclass(frozen=True)
class Result:
    """What a job gives: its `row`, curves [T] by name, and arrays by name (features, identity vectors)."""

    row: dict[str, Any]
    curves: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray]


def write_summary(folder: Path, summary: Summary) -> None:
    """`summary.json`, and `metrics.json` with the values alone (flat, for `dvc metrics show`)."""
    write_json(folder / SUMMARY, rounded(asdict(summary)))
    flat = {name: interval.value for name, interval in summary.metrics.items()}
    counts = {"clips": summary.clips, "failed_videos": len(summary.failures)}
    write_json(folder / METRICS, rounded(flat | counts | {name: int(ok) for name, ok in summary.checks.items()}))


def read_summary(folder: Path) -> Summary:
    """Read `summary.json`; raises FileNotFoundError, or ValueError for another version."""
    value = json.loads((folder / SUMMARY).read_text())
    if value.get("version") != VERSION:
        raise ValueError(f"{folder / SUMMARY}: version {value.get('version')}, this code reads {VERSION}")
    return Summary(**value | {"metrics": {name: Interval(**row) for name, row in value["metrics"].items()}})


def rounded(value: Any, digits: int = 6) -> Any:
    """Floats to `digits` significant digits, so that the last bits of another CPU do not change a file's bytes."""
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item, digits) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    return value


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows as Parquet in the given order; the columns are those of all rows, missing values null."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_rows(path: Path) -> list[dict[str, Any]]:
    return pq.read_table(path).to_pylist()


def write_csv(path: Path, rows: list[dict[str, Any]], columns: Sequence[str] = ()) -> None:
    """Rows as CSV with a head (`columns`, or those of the rows); floats rounded to six digits, None empty."""
    text = io.StringIO()
    names = list(columns or dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rounded(row) for row in rows)
    write_text(path, text.getvalue())


class CsvWriter:
    """CSV rows written as they come, so that memory does not grow; the file appears whole at `close`."""

    def __init__(self, path: Path, columns: Sequence[str]):
        self._stack = contextlib.ExitStack()
        temporary = self._stack.enter_context(atomic_path(path))
        self._file = self._stack.enter_context(temporary.open("w", newline=""))
        self._writer = csv.DictWriter(self._file, columns, lineterminator="\n")
        self._writer.writeheader()

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        self._writer.writerows(rounded(row) for row in rows)

    def close(self) -> None:
        self._stack.close()


def read_csv(path: Path) -> list[dict[str, float | str | None]]:
    """Rows with numbers as floats, empty cells as None; a clip id stays text (some hashes read as numbers)."""
    with path.open(newline="") as file:
        return [{name: cell if name == "clip_id" else _number(cell) for name, cell in row.items() if name is not None}
                for row in csv.DictReader(file)]


def _number(cell: Any) -> float | str | None:
    try:
        return float(cell) if cell not in (None, "") else None
    except (TypeError, ValueError):
        return cell
