"""The order of work: jobs spooled to one file, and the batches of clips that Ray carries as a few numbers.

The file lies in the project folder, which every node reaches. So the driver holds a dozen bytes a clip, whatever
the size of the corpus, and a batch means the same on every node and in every retry.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from feature_store.schema import FAMILIES
from feature_store.units import UnitKey
from pipeline.core.atomic import atomic_path
from stages.extract.plan import Clip

CHUNK = 1024  # jobs in one record batch of the file
_KEY = pa.struct([("family", pa.string()), ("fingerprint", pa.string()), ("content", pa.string())])
SCHEMA = pa.schema([("path", pa.string()), ("clip_id", pa.string()), ("frames", pa.int32()), ("keys", pa.list_(_KEY))])


@dataclass(frozen=True)
class Job:
    """One clip's missing units: the crop at `path` with `frames` frames."""

    path: Path
    clip_id: str
    frames: int
    keys: tuple[UnitKey, ...]


class JobFile:
    """Jobs by position, read from the memory-mapped file."""

    def __init__(self, path: Path):
        self._reader = pa.ipc.open_file(pa.memory_map(str(path)))

    def jobs(self, positions: Iterable[int]) -> list[Job]:
        """Jobs at these positions of the spooled order."""
        return [self._job(int(position)) for position in positions]

    def _job(self, position: int) -> Job:
        row = self._reader.get_batch(position // CHUNK).slice(position % CHUNK, 1).to_pylist()[0]
        keys = tuple(UnitKey(key["family"], key["fingerprint"], row["clip_id"], key["content"]) for key in row["keys"])
        return Job(Path(row["path"]), row["clip_id"], row["frames"], keys)


@contextmanager
def spool(jobs: Iterable[tuple[Clip, list[str]]], path: Path) -> Iterator[np.ndarray]:
    """Write `jobs` (a clip and its missing families) to `path` for the block; yield their frame counts [N] int32."""
    try:
        yield _write_jobs(jobs, path)
    finally:
        path.unlink(missing_ok=True)


def _write_jobs(jobs: Iterable[tuple[Clip, list[str]]], path: Path) -> np.ndarray:
    frames, jobs = array("i"), iter(jobs)
    with atomic_path(path) as temporary, pa.ipc.new_file(temporary, SCHEMA) as writer:
        while chunk := list(islice(jobs, CHUNK)):
            writer.write_batch(pa.RecordBatch.from_pylist([_row(*job) for job in chunk], schema=SCHEMA))
            frames.extend(clip.row["frames"] for clip, _ in chunk)
    return np.frombuffer(frames, np.int32) if frames else np.empty(0, np.int32)


def _row(clip: Clip, families: list[str]) -> dict:
    keys = [clip.keys[family] for family in FAMILIES if family in families]
    return {"path": str(clip.path), "clip_id": clip.clip_id, "frames": clip.row["frames"], "keys": [
        {"family": key.family, "fingerprint": key.fingerprint, "content": key.content} for key in keys]}


@dataclass(frozen=True)
class Batches:
    """Clips that are computed together: those of batch i are `order[starts[i]:starts[i + 1]]`."""

    order: np.ndarray  # positions of all clips [N] int32
    starts: np.ndarray  # [B + 1] int32; the last is N

    def __len__(self) -> int:
        return len(self.starts) - 1

    def positions(self, batch: int) -> np.ndarray:
        return self.order[self.starts[batch]:self.starts[batch + 1]]


def make_batches(frames: np.ndarray, max_clips: int, max_frames: int) -> Batches:
    """Batches of clips with `frames` [N], longest clips first, at most `max_clips` clips and `max_frames` frames.

    A clip of more than `max_frames` is a batch of its own. The longest first: no long clip is left for the end, and
    the clips of a batch are of about one length.
    """
    order = np.argsort(-frames, kind="stable").astype(np.int32)
    starts, start, total = array("i", [0]), 0, 0
    for end, count in enumerate(frames[order].tolist()):
        if end > start and (end - start == max_clips or total + count > max_frames):
            starts.append(end)
            start, total = end, 0
        total += count
    if len(order):
        starts.append(len(order))
    return Batches(order, np.frombuffer(starts, np.int32))


def batch_tables(batches: Batches, blocks: int) -> list[pa.Table]:
    """The batches as rows {positions: list<int32>}, dealt to `blocks` tables: each holds long and short clips."""
    return [_table([batches.positions(i) for i in range(block, len(batches), blocks)]) for block in range(blocks)]


def _table(batches: list[np.ndarray]) -> pa.Table:
    ends = np.cumsum([0, *map(len, batches)], dtype=np.int32)
    values = np.concatenate(batches) if batches else np.empty(0, np.int32)
    return pa.table({"positions": pa.ListArray.from_arrays(pa.array(ends), pa.array(values))})
