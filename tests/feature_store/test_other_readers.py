"""Shards are plain Parquet: pyarrow, pandas, DuckDB and Ray Data read them without our code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from feature_store.manifest import read_manifest
from tests.feature_store.made import DIM, KEYPOINTS, frames_of, motion_of, write_store

CLIPS = list(range(11))


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    write_store(folder / "mead", folder / "units", CLIPS)
    return {family: sorted(str(folder / "mead" / shard.name) for shard in read_manifest(folder / "mead").shards
                           if shard.family == family) for family in ("motion", "speech")}


def tensor(field: pa.Field, cell: bytes, frames: int) -> np.ndarray:
    """By the field's own metadata, as a stranger would."""
    shape = [frames if n == "-1" else int(n) for n in field.metadata[b"shape"].decode().split(",")]
    return np.frombuffer(cell, field.metadata[b"dtype"].decode()).reshape(shape)


def test_pyarrow(shards):
    table = pq.read_table(shards["motion"], columns=["clip_id", "frames", "motion"],
                          filters=pc.field("clip_id") == "clip003")
    assert table["frames"].to_pylist() == [frames_of(3)]
    found = tensor(table.schema.field("motion"), table["motion"][0].as_py(), frames_of(3))
    np.testing.assert_array_equal(found, motion_of(3, frames_of(3)))


def test_every_column_has_its_unit_and_scalars_their_statistics(shards):
    file = pq.ParquetFile(shards["motion"][0])
    assert [field.name for field in file.schema_arrow if b"dtype" in (field.metadata or {})] == [
        "x_c", "motion", "moments"]
    assert all(file.schema_arrow.field(name).metadata[b"unit"] for name in ("fps", "x_c", "motion", "moments"))
    group, columns = file.metadata.row_group(0), {}
    for i in range(group.num_columns):
        columns[group.column(i).path_in_schema] = group.column(i)
    assert columns["frames"].statistics.has_min_max and columns["clip_id"].statistics.has_min_max
    assert not columns["motion"].is_stats_set  # bytes of floats have no meaningful order


def test_asking_for_scalars_reads_no_tensor(shards):
    """The tensors' bytes may even be gone."""
    path = shards["motion"][0]
    file = pq.ParquetFile(path)
    data = bytearray(Path(path).read_bytes())
    for g in range(file.num_row_groups):
        group = file.metadata.row_group(g)
        for i in range(group.num_columns):
            column = group.column(i)
            if column.path_in_schema in ("motion", "x_c", "moments"):
                start = column.data_page_offset
                data[start:start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    found = pq.read_table(pa.BufferReader(bytes(data)), columns=["clip_id", "frames"])
    assert found.num_rows == file.metadata.num_rows


def test_pandas(shards):
    frame = pandas.concat(pandas.read_parquet(path, columns=["clip_id", "identity", "frames"])
                          for path in shards["motion"])
    assert dict(zip(frame["clip_id"], frame["frames"], strict=True)) == {f"clip{i:03d}": frames_of(i) for i in CLIPS}


def test_duckdb(shards):
    duckdb = pytest.importorskip("duckdb", reason="extra `dev`")
    rows = duckdb.sql(f"""select motion.identity, sum(motion.frames)::int, count(*)
                      from read_parquet({shards['motion']}) motion
                      join read_parquet({shards['speech']}) speech using (clip_id)
                      where octet_length(speech.features) = 2 * {DIM} * speech.frames
                      group by 1 order by 1""").fetchall()
    assert rows == [(f"mead/{person}", sum(frames_of(i) for i in CLIPS if i % 3 == person),
                     sum(i % 3 == person for i in CLIPS)) for person in range(3)]


@pytest.mark.ray
@pytest.mark.slow
def test_ray_data(shards, ray_session):
    import ray.data

    table = pa.concat_tables(ray.get(ray.data.read_parquet(shards["motion"]).to_arrow_refs()))
    rows = {row["clip_id"]: row for row in table.select(["clip_id", "x_c"]).to_pylist()}
    assert sorted(rows) == [f"clip{i:03d}" for i in CLIPS]
    np.testing.assert_array_equal(np.frombuffer(rows["clip007"]["x_c"], "<f4"), np.full(3 * KEYPOINTS, 7))
