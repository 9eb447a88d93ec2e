"""Where a corpus' raw media are: a local folder, an S3 prefix, rows of Parquet files in a folder.

Readers see names alone. A name becomes a file on this machine only while its clip is worked on, one file a worker,
so that a corpus in S3 needs no disk of its size.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.fingerprint import digest
from pipeline.known_sha256 import known_sha256
from pipeline.paths import WORK
from pipeline.storage_raw import Entry, RawObjects, raw_objects
from stages.readers.folder import SOUND, VIDEO, Folder, is_unsafe_path
from stages.readers.manifests import MAX_MANIFEST_BYTES
from stages.readers.rows import CorpusError

REMOTE = "s3://"
MANIFESTS = frozenset({".csv", ".json", ".txt", ".xlsx"})
IN_TABLE = "//"     # of `data/train-0.parquet//17/video`: row 17, column video; no file name holds two slashes


def location_of(root: str, corpus: str) -> str:
    """Folder or S3 prefix of one corpus."""
    return f"{root.rstrip('/')}/{corpus}"


@dataclass(frozen=True)
class Source:
    """Gets one raw file on this machine; small, so that it travels to any worker."""

    location: str

    def fetch(self, name: str, scratch: Path) -> Path:
        """The file of this name: where it lies, or a copy in `scratch`. Raises OSError, ObjectMissing."""
        if self.location.startswith(REMOTE):
            target = scratch / f"raw{PurePosixPath(name).suffix.lower()}"
            _objects(self.location).fetch(name, target)
            return target
        if IN_TABLE in name:
            return _unpacked(Path(self.location), name, scratch)
        return Path(self.location).absolute() / name


@dataclass
class RawCorpus:
    """One corpus: its folder as the readers see it, and what its files are."""

    folder: Folder
    source: Source
    stamp: Callable[[str], str] = field(repr=False)   # name -> what changes when the file does
    size: Callable[[str], int] = field(repr=False)    # name -> bytes


def open_raw(root: str, corpus: str) -> RawCorpus:
    """Open `root`/`corpus`; raises CorpusError where it is not there."""
    location = location_of(root, corpus)
    return _remote(location, corpus) if location.startswith(REMOTE) else _local(Path(location), corpus)


def is_sha256(stamp: str) -> bool:
    """Whether a stamp is the hash of the file's own bytes; others hold a space."""
    return " " not in stamp


def _local(root: Path, corpus: str) -> RawCorpus:
    sha256 = cache(known_sha256)  # rows of a Parquet file ask for the same one

    def stamp(name: str) -> str:
        path, _, row = name.partition(IN_TABLE)
        return f"{sha256(root / path)} {row}" if row else sha256(root / path)

    def size(name: str) -> int:
        return 0 if IN_TABLE in name else (root / name).stat().st_size

    return RawCorpus(Folder(corpus, root), Source(str(root)), stamp, size)


def _remote(location: str, corpus: str) -> RawCorpus:
    entries = {entry.key: entry for entry in _objects(location).entries()}
    if not entries:
        raise CorpusError(f"there is nothing below {location}/: set raw.root so that it holds {corpus}/, "
                          f"or take {corpus} out of `corpora` in params.yaml")
    media = [key for key in entries if PurePosixPath(key).suffix.lower() in VIDEO | SOUND]
    folder = Folder(corpus, _mirror(location, list(entries.values())), listed=media)
    return RawCorpus(folder, Source(location), lambda name: f"etag {entries[name].etag} {entries[name].bytes}",
                     lambda name: entries[name].bytes)


def _mirror(location: str, entries: list[Entry]) -> Path:
    """A local folder with the manifests of a corpus in S3; made anew when one of them has changed."""
    wanted = [e for e in entries if PurePosixPath(e.key).suffix.lower() in MANIFESTS and not is_unsafe_path(e.key)]
    for entry in wanted:
        if entry.bytes > MAX_MANIFEST_BYTES:
            raise CorpusError(f"{location}/{entry.key} is larger than {MAX_MANIFEST_BYTES >> 20} MiB: this is not a "
                              "manifest")
    root = WORK.absolute() / "work" / "raw" / digest(location, [[e.key, e.etag] for e in wanted])
    if not root.is_dir():
        partial = root.with_name(f".{root.name}")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for entry in wanted:
            _objects(location).fetch(entry.key, partial / entry.key)
        partial.rename(root)
    return root


@lru_cache(maxsize=8)
def _objects(location: str) -> RawObjects:
    return raw_objects(location)


def _unpacked(root: Path, name: str, scratch: Path) -> Path:
    path, _, place = name.partition(IN_TABLE)
    row, _, column = place.partition("/")
    value = _cell(root / path, int(row), column)
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes):
        raise FileNotFoundError(2, f"row {row} holds no bytes in its column {column}")
    named = value.get("path") if isinstance(value, dict) else None
    suffix = PurePosixPath(str(named or "")).suffix.lower()
    target = scratch / f"{column}{suffix if suffix in VIDEO | SOUND else '.bin'}"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return target


def _cell(path: Path, row: int, column: str) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path)
        for group in range(table.num_row_groups):
            rows = table.metadata.row_group(group).num_rows
            if row < rows:
                return _group(path, group, column)[row].as_py()
            row -= rows
    except (pa.ArrowException, OSError) as error:
        raise FileNotFoundError(2, f"its table cannot be read: {type(error).__name__}") from error
    raise FileNotFoundError(2, f"the table has no row {row}")


@lru_cache(maxsize=2)
def _group(path: Path, group: int, column: str):
    import pyarrow.parquet as pq

    return pq.ParquetFile(path).read_row_group(group, columns=[column])[column]
