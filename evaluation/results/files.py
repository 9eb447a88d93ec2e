"""The files of an evaluation: per-clip rows, one summary with intervals and protocol, flat numbers, curves."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from evaluation.metrics.bootstrap import Interval
from evaluation.metrics.emotion import EmotionRow
from evaluation.results.records import Record, clip_of, clip_record, emotion_of, emotion_record
from evaluation.results.rows import ClipRow, MeasuredClip
from pipeline.core.atomic import atomic_path, link_or_copy, write_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row_co = TypeVar("Row_co", bound="DataclassInstance", covariant=True)
CLIPS, EMOTIONS, SUMMARY, METRICS = "clips.parquet", "emotions.parquet", "summary.json", "metrics.json"
CURVES, FIRST_CURVE, DISTRIBUTIONS, VIDEOS = "mouth_curves.csv", "mouth_curve.csv", "distributions.json", "videos"
EMOTION_VIDEO, POSE_VIDEO, SEED_VIDEO, DIAL_VIDEO = "emotions.mp4", "poses.mp4", "seeds.mp4", "dials.mp4"
CURVE_NAMES = ("reference", "generated", "wrong_speech")
CURVE_SCHEMA = pa.schema([("clip_id", pa.string()), ("frame", pa.int64()),
                          *((name, pa.float64()) for name in CURVE_NAMES)])
CSV = pc.WriteOptions(quoting_style="needed", quoting_header="none")
VERSION = 1


@dataclass(frozen=True)
class Failure:
    """A job that gave no result."""

    clip_id: str
    stage: str
    code: str
    detail: str


@dataclass(frozen=True)
class Summary:
    """`metrics`: name -> interval. `protocol`: what must be the same for two summaries to be comparable."""

    metrics: dict[str, Interval]
    protocol: dict[str, Any]
    clips: int
    failures: list[Failure] = field(default_factory=list)
    checks: dict[str, bool] = field(default_factory=dict)
    version: int = VERSION


@dataclass(frozen=True)
class Result(Generic[Row_co]):
    """What a job gives: rows, most often one, curves [T] by name, and arrays by name (features, identity vectors)."""

    rows: tuple[Row_co, ...]
    curves: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray]

    @property
    def row(self) -> Row_co:
        """The only one; raises ValueError where there are others."""
        [row] = self.rows
        return row


def write_summary(folder: Path, summary: Summary) -> None:
    """`summary.json`, and `metrics.json` with the values alone (flat, for `dvc metrics show`)."""
    write_json(folder / SUMMARY, round_floats(asdict(summary)))
    flat = {name: interval.value for name, interval in summary.metrics.items()}
    counts = {"clips": summary.clips, "failed_videos": len(summary.failures)}
    write_json(folder / METRICS, round_floats(flat | counts | {name: int(ok) for name, ok in summary.checks.items()}))


def read_summary(folder: Path) -> Summary:
    """Read `summary.json`; raises FileNotFoundError, or ValueError for another version."""
    value = json.loads((folder / SUMMARY).read_text())
    if value.get("version") != VERSION:
        raise ValueError(f"{folder / SUMMARY}: version {value.get('version')}, this code reads {VERSION}")
    return Summary(**value | {"metrics": {name: Interval(**row) for name, row in value["metrics"].items()},
                              "failures": [Failure(**row) for row in value["failures"]]})


def round_floats(value: Any, digits: int = 6) -> Any:
    """Floats to `digits` significant digits, so that the last bits of another CPU do not change a file's bytes."""
    if isinstance(value, dict):
        return {key: round_floats(item, digits) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [round_floats(item, digits) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    return value


def write_clips(folder: Path, rows: Sequence[ClipRow]) -> None:
    """`clips.parquet`: measured clips and lost ones."""
    write_rows(folder / CLIPS, round_floats([clip_record(row) for row in rows]))


def read_clips(folder: Path) -> list[ClipRow]:
    """Read `clips.parquet`; raises FileNotFoundError."""
    return [clip_of(record) for record in read_rows(folder / CLIPS)]


def write_emotions(folder: Path, rows: Sequence[EmotionRow]) -> None:
    """`emotions.parquet`: generated films and true ones."""
    write_rows(folder / EMOTIONS, round_floats([emotion_record(row) for row in rows]))


def read_emotions(folder: Path) -> list[EmotionRow]:
    """Read `emotions.parquet`; raises FileNotFoundError."""
    return [emotion_of(record) for record in read_rows(folder / EMOTIONS)]


def write_rows(path: Path, rows: Sequence[Record]) -> None:
    """Records as Parquet in the given order; the columns are those of all of them, missing values null."""
    with atomic_path(path) as temporary:
        pq.write_table(_table(rows), temporary, compression="zstd")


def read_rows(path: Path) -> list[dict[str, Any]]:
    return pq.read_table(path).to_pylist()


def write_csv(path: Path, rows: Sequence[Record], columns: Sequence[str] = ()) -> None:
    """Records as CSV with a head (`columns`, or those of the rows); floats rounded to six digits, None empty."""
    with atomic_path(path) as temporary:
        pc.write_csv(_table(round_floats(rows), columns), temporary, CSV)


def read_csv(path: Path) -> list[dict[str, Any]]:
    """Records with numbers as numbers, empty cells as None; a clip id stays text (some hashes read as numbers)."""
    convert = pc.ConvertOptions(column_types={"clip_id": pa.string()}, null_values=[""], strings_can_be_null=True,
                                true_values=[], false_values=[])
    return pc.read_csv(path, convert_options=convert).to_pylist()


class CurveFiles:
    """Mouth curves of all clips, written as they come, and those of the first one alone for `dvc plots`.

    The files appear whole at `close`, so that memory does not grow with the clips.
    """

    def __init__(self, folder: Path):
        self._stack, self._first = contextlib.ExitStack(), folder / FIRST_CURVE
        temporary = self._stack.enter_context(atomic_path(folder / CURVES))
        self._writer = self._stack.enter_context(pc.CSVWriter(temporary, CURVE_SCHEMA, write_options=CSV))
        self._written = 0

    def add(self, result: Result[MeasuredClip]) -> None:
        """A row per frame; a frame without a face has an empty cell."""
        clip, count = result.row, result.row.frames
        curves = {name: round_floats(result.curves[name][:count].tolist()) if name in result.curves else [None] * count
                  for name in CURVE_NAMES}
        table = pa.table({"clip_id": [clip.clip_id] * count, "frame": range(count), **curves}, CURVE_SCHEMA)
        self._writer.write_table(table)
        self._written += 1
        if self._written == 1:
            self._write_first(table)

    def close(self) -> None:
        if not self._written:
            self._write_first(CURVE_SCHEMA.empty_table())
        self._stack.close()

    def _write_first(self, table: pa.Table) -> None:
        with atomic_path(self._first) as temporary:
            pc.write_csv(table, temporary, CSV)


def copy_videos(source: Path, folder: Path) -> None:
    """Copy a finished job's videos."""
    for video in sorted(source.glob("*.mp4")):
        link_or_copy(video, folder / video.name)


def _table(rows: Sequence[Record], columns: Sequence[str] = ()) -> pa.Table:
    """Records as columns: those named, or all of the records', missing values null."""
    names = list(columns or dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})
