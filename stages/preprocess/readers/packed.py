"""Media inside larger files: cells of Parquet files and members of tar shards, on disk or in S3.

A name tells the place: `data/t.parquet//17/video` is row 17's column `video`, `shards/a.tar//1536+2048/anna/1.mp4` the
2048 bytes from byte 1536 on, which the shard calls `anna/1.mp4`. No file name holds two slashes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

from pipeline.storage.s3_errors import S3Unavailable
from stages.preprocess.readers.folder import SOUND, VIDEO

IN_FILE = "//"
SHARD = ".tar"
PART_BYTES = 8 << 20


class Opener(Protocol):
    """Hashable, so that what was read last can be kept."""

    def __hash__(self) -> int: ...

    def open(self, name: str) -> BinaryIO:
        """The raw file of this name, to be read from any place."""


def cell_name(table: str, row: int, column: str) -> str:
    return f"{table}{IN_FILE}{row}/{column}"


def member_name(shard: str, offset: int, size: int, member: str) -> str:
    return f"{shard}{IN_FILE}{offset}+{size}/{member}"


def member_size(name: str) -> int | None:
    """Bytes of a member of a shard; None for other names."""
    shard, _, place = name.partition(IN_FILE)
    return int(place.partition("/")[0].partition("+")[2]) if shard.lower().endswith(SHARD) and place else None


def member_parts(source: Opener, name: str) -> Iterator[bytes]:
    """The bytes of a member, in parts; raises FileNotFoundError where the shard ends before it does."""
    shard, _, place = name.partition(IN_FILE)
    offset, _, size = place.partition("/")[0].partition("+")
    with source.open(shard) as file:
        file.seek(int(offset))
        left = int(size)
        while left:
            part = file.read(min(left, PART_BYTES))
            if not part:
                raise FileNotFoundError(2, f"the shard ends {left} bytes before this member does")
            left -= len(part)
            yield part


def unpack(source: Opener, name: str, scratch: Path) -> Path:
    """Lay the file of this name in `scratch`; raises FileNotFoundError where it is not there, or not whole."""
    scratch.mkdir(parents=True, exist_ok=True)
    if member_size(name) is None:
        return _unpack_cell(source, name, scratch)
    target = scratch / f"member{_suffix(name)}"
    with target.open("wb") as file:
        for part in member_parts(source, name):
            file.write(part)
    return target


def _unpack_cell(source: Opener, name: str, scratch: Path) -> Path:
    table, _, place = name.partition(IN_FILE)
    row, _, column = place.partition("/")
    value = _cell(source, table, int(row), column)
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes):
        raise FileNotFoundError(2, f"row {row} holds no bytes in its column {column}")
    named = value.get("path") if isinstance(value, dict) else None
    target = scratch / f"{column}{_suffix(str(named or ''))}"
    target.write_bytes(data)
    return target


def _suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if suffix in VIDEO | SOUND else ".bin"


def _cell(source: Opener, table: str, row: int, column: str) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with source.open(table) as file:
            metadata = pq.ParquetFile(file).metadata
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            if row < rows:
                return _group(source, table, group, column)[row].as_py()
            row -= rows
    except S3Unavailable:  # nothing is wrong with the table
        raise
    except (pa.ArrowException, OSError) as error:
        raise FileNotFoundError(2, f"its table cannot be read: {type(error).__name__}") from error
    raise FileNotFoundError(2, f"the table has no row {row}")


@lru_cache(maxsize=2)
def _group(source: Opener, table: str, group: int, column: str):
    import pyarrow.parquet as pq

    with source.open(table) as file:
        return pq.ParquetFile(file).read_row_group(group, columns=[column])[column]
