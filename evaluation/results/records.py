"""Rows as flat records, a value a column, as Parquet and CSV hold them, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from evaluation.metrics.emotion import Change, EmotionFilm, EmotionRow
from evaluation.results.rows import MEASURED, ClipRow, LostClip, MeasuredClip, Repeat

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = TypeVar("Row", bound="DataclassInstance")
GENERATED, TRUE = "generated", "true"  # whose film an emotion row is about
Record = dict[str, str | float | None]
# field that maps names to numbers -> what their columns begin with
PREFIXES = {"numbers": "", "probabilities": "p_", "log_probabilities": "logp_"}
NOT_MEASURED = ("status", "stage", "code", "detail")  # columns of clips that are no numbers
LAST = ("mouth_r_other_video", "status")  # of a clip's columns; the others stand in the order of their names


def record_of(row: DataclassInstance) -> Record:
    """A row's fields in their order, each number of a mapping for itself; one that is None by default is left out."""
    record: Record = {}
    for field in fields(row):
        value = getattr(row, field.name)
        if field.name in PREFIXES:
            record |= {PREFIXES[field.name] + name: number for name, number in value.items()}
        elif value is not None or field.default is not None:
            record[field.name] = value
    return record


def row_of(kind: type[Row], record: Mapping[str, Any]) -> Row:
    """The row that a record was made of; raises ValueError where a column is missing. Text is no number."""
    names = {field.name for field in fields(kind)}
    values = {name: record[name] for name in names & record.keys()}
    for name in names & PREFIXES.keys():
        prefix = PREFIXES[name]
        values[name] = {column.removeprefix(prefix): number for column, number in record.items()
                        if column.startswith(prefix) and column not in names and not isinstance(number, str)}
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"a row that is no {kind.__name__}: {error}") from None


def clip_record(row: ClipRow) -> Record:
    """A row of clips.parquet."""
    if isinstance(row, LostClip):  # a key that comes again keeps its first place
        first = {"status": row.status} if row.stage is None else {"stage": row.stage}
        return {"clip_id": row.clip_id, **first, "code": row.code, "detail": row.detail, "status": row.status}
    record = record_of(row) | {"status": MEASURED}
    return {name: record[name] for name in sorted(record, key=lambda name: (name in LAST, name))}


def clip_of(record: Mapping[str, Any]) -> ClipRow:
    """A row of clips.parquet, also of a file from before there was a status."""
    if record.get("status", MEASURED) != MEASURED:
        return row_of(LostClip, record)
    return row_of(MeasuredClip, {name: value for name, value in record.items() if name not in NOT_MEASURED})


def emotion_record(row: EmotionRow) -> Record:
    """A row of emotions.parquet: the film's columns in the order of their names, then how it changed."""
    video, change = (TRUE, {}) if row.change is None else (GENERATED, record_of(row.change))
    return {"video": video, **dict(sorted(record_of(row.film).items())), **change,
            "seen_shift": row.seen_shift, "shift": row.shift}


def emotion_of(record: Mapping[str, Any]) -> EmotionRow:
    """A row of emotions.parquet, also of a file from before true films were in it."""
    change = None if record.get("video") == TRUE else row_of(Change, record)
    return EmotionRow(row_of(EmotionFilm, record), record.get("seen_shift"), record.get("shift"), change)


def repeat_record(row: Repeat) -> Record:
    """A row of long.csv: the model, the other columns in the order of their names."""
    return {"model": row.model, **dict(sorted(record_of(row).items()))}
