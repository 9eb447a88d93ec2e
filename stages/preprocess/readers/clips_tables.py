"""Parquet files whose rows are clips: bytes in a column `video` (or `mp4`), perhaps sound in `audio`, known columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.storage.s3_errors import S3Unavailable
from stages.preprocess.readers.clips_columns import COLUMNS
from stages.preprocess.readers.folder import Folder
from stages.preprocess.readers.packed import cell_name
from stages.preprocess.readers.rows import RejectRow

MEDIA, SOUND = ("video", "mp4"), "audio"
BATCH = 1000


@dataclass(frozen=True)
class Cells:
    """One row of one table."""

    key: str
    media: str
    audio: str | None
    values: dict[str, object]


def table_cells(folder: Folder, name: str) -> Iterator[Cells | RejectRow]:
    """A row for every row of one Parquet file; a reject for a file that is none, or has no video column."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with folder.open(name) as file:
            yield from _cells(folder, name, pq.ParquetFile(file))
    except S3Unavailable:  # nothing is wrong with the file
        raise
    except (pa.ArrowException, OSError) as error:
        yield folder.reject(name, name, "bad_manifest", f"not a readable Parquet file: {type(error).__name__}")


def _cells(folder: Folder, name: str, table: Any) -> Iterator[Cells | RejectRow]:
    import pyarrow as pa

    columns = table.schema_arrow.names
    media = next((column for column in MEDIA if column in columns), None)
    if media is None:
        yield folder.reject(name, name, "bad_manifest", f"no column {' or '.join(MEDIA)} among {columns[:12]}")
        return
    has_sound = SOUND in columns and not pa.types.is_string(table.schema_arrow.field(SOUND).type)
    known = [column for column in columns if column.strip().lower() in COLUMNS and column != SOUND]
    for index, values in enumerate(_known_columns(table, known)):
        yield Cells(f"{name}/{index:06d}", cell_name(name, index, media),
                    cell_name(name, index, SOUND) if has_sound else None, values)


def _known_columns(table: Any, columns: list[str]) -> Iterator[dict[str, object]]:
    """The known columns of every row; a batch of no columns would have no rows."""
    if not columns:
        yield from ({} for _ in range(table.metadata.num_rows))
        return
    for batch in table.iter_batches(BATCH, columns=columns):
        yield from batch.to_pylist()
