"""The identity-disjoint split as a table: clip_id -> train, validation or test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core.atomic import atomic_path

NAME = "split.parquet"
TRAIN, VALIDATION, TEST = "train", "validation", "test"
ASKED = "playmate_split_asked"
SCHEMA = pa.schema([(name, pa.string()) for name in ("clip_id", "corpus", "identity", "split")])


def write_split(folder: Path, rows: list[dict], asked: str = "") -> None:
    """Write `split.parquet`; rows have clip_id, corpus, identity, split, and come in order of clip_id. `asked`: digest
    of what it was asked for; without one it is not kept."""
    with atomic_path(folder / NAME) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA.with_metadata({ASKED: asked})), temporary,
                       compression="zstd")


def sides(folder: Path, asked: str) -> dict[str, str]:
    """clip_id -> split of the split that was asked for by this digest; empty where there is none."""
    path = folder / NAME
    kept = path.is_file() and (pq.read_schema(path).metadata or {}).get(ASKED.encode(), b"").decode() == asked
    return read_split(folder) if kept and asked else {}


def read_split(folder: Path) -> dict[str, str]:
    """clip_id -> split of `split.parquet`; raises FileNotFoundError."""
    with pq.ParquetFile(_present(folder)) as file:   # as in `pipeline.core.clip_table`
        table = file.read(["clip_id", "split"])
    return dict(zip(table["clip_id"].to_pylist(), table["split"].to_pylist(), strict=True))


def sorted_ids(folder: Path, name: str) -> Iterator[str]:
    """Clip ids of one split in order, without holding them all; raises FileNotFoundError."""
    with pq.ParquetFile(_present(folder)) as file:
        for batch in file.iter_batches(columns=["clip_id", "split"], use_threads=False):
            yield from batch.filter(pc.field("split") == name)["clip_id"].to_pylist()


def _present(folder: Path) -> Path:
    path = folder / NAME
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: run `dvc repro split`")
    return path


def clips_of(split: Mapping[str, str], name: str) -> set[str]:
    """Clip ids of one split."""
    return {clip_id for clip_id, found in split.items() if found == name}
