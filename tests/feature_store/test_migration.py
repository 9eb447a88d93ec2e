"""From an older major version to this one by steps, without computing anything."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_store.migration import Migrated, migrate_units, upgraded
from feature_store.schema import SchemaError, decode_tensor
from feature_store.units import UnitKey, read_unit
from pipeline.storage.local import LocalStorage
from tests.feature_store.made import frames_of, key, motion_of, write_clip

OLD, NEW = "o" * 32, "m" * 32
CLIPS = [1, 2, 5]


def step(table: pa.Table) -> pa.Table:
    """As if version 0 had called motion `vector`."""
    return table.rename_columns({"vector": "motion"})


@pytest.fixture
def storage(tmp_path):
    """Units of version 0 under another fingerprint, made from those of today."""
    storage = LocalStorage(tmp_path)
    for clip in CLIPS:
        write_clip(storage, clip)
        unit = read_unit(storage, key("motion", clip))
        table = unit.rename_columns({"motion": "vector"})
        at = table.schema.get_field_index("fingerprint")
        table = table.set_column(at, table.schema.field(at), pa.array([OLD]))
        table = table.replace_schema_metadata({**unit.schema.metadata, b"playmate_features": b"0.3"})
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        storage.put(str(key("motion", clip)).replace(NEW, OLD), sink.getvalue().to_pybytes())
        storage.delete(str(key("motion", clip)))
    return storage


def test_units_come_over_whole_and_once(storage):
    assert migrate_units(storage, "motion", OLD, NEW, {0: step}) == Migrated(written=3, present=0)
    assert migrate_units(storage, "motion", OLD, NEW, {0: step}) == Migrated(written=0, present=3)
    for clip in CLIPS:
        table = read_unit(storage, key("motion", clip))
        assert table["fingerprint"].to_pylist() == [NEW]
        found = decode_tensor(table.schema.field("motion"), table["motion"][0].as_buffer(), frames_of(clip))
        np.testing.assert_array_equal(found, motion_of(clip, frames_of(clip)))
    assert len(storage.list(f"motion/{OLD}")) == 3  # until `store gc`


def test_old_units_are_refused_until_then(storage):
    old = UnitKey("motion", OLD, key("motion", 1).clip_id, key("motion", 1).content)
    with pytest.raises(SchemaError, match=r"version 0.3, this code reads 1.0"):
        read_unit(storage, old)


def test_without_a_step_the_message_says_what_to_do(storage):
    with pytest.raises(SchemaError, match=r"no step leads from schema version 0 to 1.0: run `dvc repro extract`"):
        migrate_units(storage, "motion", OLD, NEW, {})


def test_units_of_this_version_are_left_alone(storage):
    """Another fingerprint of the same schema means other code: its rows must never pass for ours."""
    with pytest.raises(SchemaError, match="nothing to migrate"):
        migrate_units(storage, "speech", "s" * 32, "t" * 32)
    assert storage.list(f"speech/{'t' * 32}") == []


def test_two_steps_follow_each_other(storage):
    (stored, *_) = storage.list(f"motion/{OLD}")
    table = pq.read_table(pa.BufferReader(storage.get(stored)))
    older = table.rename_columns({"vector": "first"}).replace_schema_metadata(
        {**table.schema.metadata, b"playmate_features": b"-1.0"})
    found = upgraded(older, "x", {-1: lambda t: t.rename_columns({"first": "vector"}), 0: step})
    assert "motion" in found.schema.names and found.schema.metadata[b"playmate_features"] == b"1.0"
