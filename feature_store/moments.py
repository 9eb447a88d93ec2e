"""Mergeable moments in float64: statistics over any number of clips without reading a frame twice.

Merging is that of Chan, Golub and LeVeque (1979): exact up to rounding, in any order and grouping. The shards hold
the moments of every clip; they are streamed in order of clip id, a few rows of each shard in memory at a time.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_store.manifest import Manifest
from feature_store.reader import allow_open_files, shard_paths
from feature_store.schema import MOTION, decode_tensor

ROWS_AT_ONCE = 64  # of each shard
BUFFER_BYTES = 1 << 16


@dataclass(frozen=True)
class Moments:
    """Count, mean [D] and sum of squared distances from the mean [D] of a set of vectors."""

    count: int
    mean: np.ndarray
    m2: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Moments:
        """values [N, D], N >= 1."""
        values = np.asarray(values, np.float64)
        mean = values.mean(0)
        return cls(len(values), mean, ((values - mean) ** 2).sum(0))

    def __add__(self, other: Moments) -> Moments:
        count = self.count + other.count
        step = other.mean - self.mean
        return Moments(count, self.mean + step * (other.count / count),
                       self.m2 + other.m2 + step**2 * (self.count * other.count / count))

    @property
    def std(self) -> np.ndarray:
        """Deviation of the population (1/N) [D]."""
        return np.sqrt(self.m2 / self.count)


@dataclass(frozen=True, slots=True)
class ClipMoments:
    """The moments [3K + 7] of one clip's motion, and whose clip it is."""

    clip_id: str
    corpus: str
    identity: str
    moments: Moments


def stream_moments(manifests: Mapping[Path, Manifest]) -> Iterator[ClipMoments]:
    """All committed clips in order of their ids: shards are sorted, so merging them needs no index."""
    paths = shard_paths(manifests, MOTION)
    allow_open_files(len(paths))
    return heapq.merge(*map(_of_shard, paths), key=attrgetter("clip_id"))


def among(clips: Iterable[ClipMoments], ids: Iterable[str]) -> Iterator[ClipMoments]:
    """Those of `clips` whose id is one of `ids`; both come in order."""
    ids = iter(ids)
    wanted = next(ids, None)
    for clip in clips:
        while wanted is not None and wanted < clip.clip_id:
            wanted = next(ids, None)
        if clip.clip_id == wanted:
            yield clip


def _of_shard(path: Path) -> Iterator[ClipMoments]:
    columns = ["clip_id", "corpus", "identity", "frames", "moments"]
    with pq.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False) as file:
        field = file.schema_arrow.field("moments")
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns, use_threads=False):
            yield from _rows(batch, field)


def _rows(batch: pa.RecordBatch, field: pa.Field) -> Iterator[ClipMoments]:
    for row in batch.to_pylist():
        mean, m2 = decode_tensor(field, row["moments"], row["frames"])
        yield ClipMoments(row["clip_id"], row["corpus"], row["identity"], Moments(row["frames"], mean, m2))
