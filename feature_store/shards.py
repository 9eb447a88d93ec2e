"""Pack finished units into Parquet shards: the same units give the same files, in whatever order they were made.

A clip's shard is a hash of its id; rows are sorted by id; a shard's name holds the hash of its bytes, so a new
shard never lands on one that readers hold. A shard whose clips and labels are as they were is not written again: one
more clip rewrites one shard of each family. Until a manifest names it, a shard does not exist for readers.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_store.manifest import Shard
from feature_store.schema import shard_schema
from feature_store.units import UnitDamaged, UnitKey, read_unit
from pipeline.core.fingerprint import code_of, digest, file_sha256
from pipeline.storage import ObjectDamaged, ObjectMissing, Storage, open_storage

# Measured (docs/feature_store.md has the table, benchmarks/feature_layout.py makes it): groups of four clips read one
# random clip nearly as fast as groups of one and stream twice as fast; zstd reads a random clip five times slower.
ROWS_PER_GROUP = 4
COMPRESSION = "none"
READ_AT_ONCE = 16  # connections that the S3 client keeps
STATISTICS_COLUMNS = ("clip_id", "identity", "emotion", "language", "frames")


@dataclass(frozen=True)
class PackedClip:
    """One clip of a shard: where its unit is, and what the clip table says about it."""

    key: UnitKey
    labels: dict  # corpus, identity, emotion, level, language


@dataclass(frozen=True)
class Bucket:
    """What becomes one shard: its clips as lines of JSON, with the digest of how shards are laid out."""

    number: int
    lines: bytes
    layout: str

    def clips(self) -> list[PackedClip]:
        """In the order of their ids."""
        found = [PackedClip(UnitKey(**key), labels) for key, labels in map(json.loads, self.lines.splitlines())]
        return sorted(found, key=lambda clip: clip.key.clip_id)


Written = Iterable[tuple[Bucket, Shard]]


def bucket_of(clip_id: str, buckets: int) -> int:
    """Shard number of a clip: depends on nothing but its id."""
    return int.from_bytes(hashlib.sha256(clip_id.encode()).digest()[:8], "big") % buckets


def shard_key(name: str) -> str:
    """Where a shard lies in the storage."""
    return f"shards/{name}"


def pack(storage: Storage, clips: Iterable[PackedClip], buckets: int, folder: Path | None,
         write: Callable[[Iterable[Bucket]], Written] | None = None) -> list[Shard]:
    """Write the shards of one family to `storage` and lay them into `folder`, if there is one.

    `write` writes those that are not there yet, in any order (`ShardWriter`); None: here, one after the other, with the
    clips of one shard in memory, the others in a temporary file. Raises ObjectMissing where there is no unit,
    UnitDamaged where its bytes do not check: such a unit is removed, so that the next run computes it anew.
    """
    shards: dict[int, Shard] = {}

    def missing() -> Iterator[Bucket]:
        for bucket in _by_bucket(clips, buckets):
            shard = _packed_before(storage, _memo(bucket), folder)
            if shard is None:
                yield bucket
            else:
                shards[bucket.number] = shard

    here = ShardWriter(storage, folder)
    for bucket, shard in write(missing()) if write else ((bucket, here(bucket)) for bucket in missing()):
        shards[bucket.number] = shard
    return [shards[number] for number in sorted(shards)]


class ShardWriter:
    """Packs one bucket after the other, in any process that reaches the store (an object, or where it is)."""

    def __init__(self, store: Storage | str, folder: Path | None):
        self.storage, self.folder = open_storage(store) if isinstance(store, str) else store, folder

    def __call__(self, bucket: Bucket) -> Shard:
        """Raises as `pack`."""
        shard = _write_shard(self.storage, bucket.clips(), _stem(bucket))
        self.storage.put(_memo(bucket), json.dumps(asdict(shard), sort_keys=True).encode())
        if self.folder is not None:
            self.storage.get_file(shard_key(shard.name), self.folder / shard.name, shard.sha256)
        return shard


def _by_bucket(clips: Iterable[PackedClip], buckets: int) -> Iterator[Bucket]:
    """Every bucket that has any clip."""
    layout = digest(code_of("feature_store.shards"), pa.__version__)
    places, numbers = [], []
    with tempfile.TemporaryFile() as spool:
        for clip in clips:
            places.append(spool.tell())
            numbers.append(bucket_of(clip.key.clip_id, buckets))
            spool.write(json.dumps([asdict(clip.key), clip.labels]).encode() + b"\n")
        offsets, bucket_numbers = np.array(places, np.int64), np.array(numbers, np.int64)
        for bucket in np.unique(bucket_numbers):
            lines = []
            for offset in offsets[bucket_numbers == bucket]:
                spool.seek(int(offset))
                lines.append(spool.readline())
            yield Bucket(int(bucket), b"".join(lines), layout)


def _stem(bucket: Bucket) -> str:
    return f"{bucket.clips()[0].key.family}-{bucket.number:03d}"


def _memo(bucket: Bucket) -> str:
    """Where it is noted which shard was packed from these clips."""
    members = [[str(clip.key), clip.labels] for clip in bucket.clips()]
    return f"packed/{_stem(bucket)}-{digest(bucket.layout, members)}.json"


def _packed_before(storage: Storage, memo: str, folder: Path | None) -> Shard | None:
    try:
        shard = Shard(**json.loads(storage.get(memo)))
        if folder is not None:
            storage.get_file(shard_key(shard.name), folder / shard.name, shard.sha256)
        elif storage.size(shard_key(shard.name)) != shard.bytes:
            return None
    except (ObjectMissing, ObjectDamaged):  # swept, or altered since: packed again from the units
        return None
    return shard


def _write_shard(storage: Storage, clips: list[PackedClip], stem: str) -> Shard:
    with tempfile.TemporaryDirectory(**storage.scratch()) as scratch:
        path = Path(scratch) / "shard.parquet"
        frames = _write_rows(storage, clips, path)
        _sync(path)
        sha256, size = file_sha256(path), path.stat().st_size
        name = f"{stem}-{sha256[:16]}.parquet"
        storage.put_file(shard_key(name), path, sha256)
    return Shard(clips[0].key.family, name, size, len(clips), frames, sha256)


def _write_rows(storage: Storage, clips: list[PackedClip], path: Path) -> int:
    """Write all rows, a few clips in memory at a time; return the number of frames."""
    rows = _rows(storage, clips)
    first = next(rows)
    writer = pq.ParquetWriter(path, first.schema, compression=COMPRESSION, use_dictionary=False,
                              write_page_checksum=True, write_statistics=list(STATISTICS_COLUMNS))
    frames, rows = 0, chain([first], rows)
    while tables := list(islice(rows, ROWS_PER_GROUP)):
        group = pa.concat_tables(tables)
        frames += sum(group["frames"].to_pylist())
        writer.write_table(group)
    writer.close()  # not in `with` or `finally`: closed by an exception it would leave a short file that reads well
    return frames


def _rows(storage: Storage, clips: list[PackedClip]) -> Iterator[pa.Table]:
    """One-row tables in order; `READ_AT_ONCE` units are asked for together, because S3 takes its time for each."""
    with ThreadPoolExecutor(READ_AT_ONCE) as pool:
        for start in range(0, len(clips), READ_AT_ONCE):
            yield from pool.map(partial(_row, storage), clips[start:start + READ_AT_ONCE])


def _row(storage: Storage, clip: PackedClip) -> pa.Table:
    unit = _sound_unit(storage, clip.key)
    schema = shard_schema(clip.key.family, unit.schema)
    values = {name: unit[name] if name in unit.schema.names else [clip.labels[name]] for name in schema.names}
    return pa.table(values, schema=schema)


def _sound_unit(storage: Storage, key: UnitKey) -> pa.Table:
    try:
        return read_unit(storage, key)
    except UnitDamaged as error:
        storage.delete(str(key))
        raise UnitDamaged(f"{error}: it was removed; run again, which computes that clip anew") from error


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
