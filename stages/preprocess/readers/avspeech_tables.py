"""AVSpeech in Parquet files, as community copies on the Hugging Face hub have it: one segment a row.

The columns `video` (without sound) and `audio` hold bytes, or {bytes, path}. Other columns are used where their names
are known; a row without a YouTube id is a person of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from pipeline.storage.s3_errors import S3Unavailable
from stages.preprocess.readers.folder import Folder
from stages.preprocess.readers.manifests import YOUTUBE_ID, number
from stages.preprocess.readers.packed import cell_name
from stages.preprocess.readers.rows import ClipRow, Row

MEDIA, SOUND = "video", "audio"
IDS = ("yt_id", "ytid", "youtube_id", "video_id", "id")
X, Y = ("x", "face_x"), ("y", "face_y")
BATCH = 1000


def table_rows(folder: Folder) -> Iterator[Row]:
    """A row for every row of every Parquet file; a reject for a file that is none, or has no column `video`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name in folder.tables:
        try:
            with folder.open(name) as file:
                yield from _table(folder, name, pq.ParquetFile(file))
        except S3Unavailable:  # nothing is wrong with the file
            raise
        except (pa.ArrowException, OSError) as error:
            yield folder.reject(name, name, "bad_manifest", f"not a readable Parquet file: {type(error).__name__}")


def _table(folder: Folder, name: str, table: Any) -> Iterator[Row]:
    columns = table.schema_arrow.names
    if MEDIA in columns:
        yield from _rows(folder, name, table)
    else:
        yield folder.reject(name, name, "bad_manifest", f"no column `{MEDIA}` among {columns[:12]}")


def _rows(folder: Folder, name: str, table: Any) -> Iterator[Row]:
    columns = table.schema_arrow.names
    known = [c for c in columns if c in (*IDS, *X, *Y)]
    split = next((s for s in ("train", "test") if s in PurePosixPath(name).name.lower()), None)
    if not known:  # a batch of no columns has no rows
        yield from (_row(folder, name, i, {}, split, SOUND in columns) for i in range(table.metadata.num_rows))
        return
    index = 0
    for batch in table.iter_batches(BATCH, columns=known):
        for values in batch.to_pylist():
            yield _row(folder, name, index, values, split, SOUND in columns)
            index += 1


def _row(folder: Folder, name: str, index: int, values: dict, split: str | None, has_sound: bool) -> ClipRow:
    video = next((str(values[c]) for c in IDS if YOUTUBE_ID.fullmatch(str(values.get(c)))), None)
    key = f"{name.removesuffix('.parquet').replace('/', '_')}_{index:06d}"
    x, y = (next((n for c in names if (n := number(values.get(c))) is not None), None) for names in (X, Y))
    hint = (x, y) if x is not None and y is not None and 0 <= x <= 1 and 0 <= y <= 1 else None
    return ClipRow(folder.corpus, key, cell_name(name, index, MEDIA), f"avspeech/{video or key}",
                   cell_name(name, index, SOUND) if has_sound else None, hint=hint, official_split=split,
                   youtube_id=video)
