"""From one major schema version to the next without computing features again.

A step rewrites the one-row table of a unit (feature_store/units.py) from one major version to the one above it. A
new major version comes with its step in `STEPS`; where there is none, `dvc repro extract` computes everything again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from feature_store.schema import VERSION, SchemaError, major
from pipeline.storage import Storage

Step = Callable[[pa.Table], pa.Table]
STEPS: dict[int, Step] = {}  # old major version -> its step; there is one version so far


@dataclass(frozen=True)
class Migrated:
    """How many units were rewritten, and how many were there already."""

    written: int
    present: int


def upgraded(table: pa.Table, where: str, steps: Mapping[int, Step]) -> pa.Table:
    """The table in the present version; raises SchemaError where a step is missing or the table is newer."""
    found = int(major(table.schema.metadata[b"playmate_features"].decode()))
    while found != int(major(VERSION)):
        if found not in steps:
            raise SchemaError(f"{where}: no step leads from schema version {found} to {VERSION}: run "
                              "`dvc repro extract`, which computes it again")
        metadata = table.schema.metadata  # some of Arrow's operations lose it
        found, table = found + 1, steps[found](table)
        table = table.replace_schema_metadata({**metadata, b"playmate_features": f"{found}.0".encode()})
    return table


def migrate_units(storage: Storage, family: str, old: str, new: str, steps: Mapping[int, Step] | None = None,
                  ) -> Migrated:
    """Rewrite the units of fingerprint `old` as units of `new`; the old ones stay until `store gc`.

    Only for fingerprints that differ by the schema version: whoever calls it vouches that code, weights and
    parameters are the same. Raises SchemaError where the units are of the present version already.
    """
    steps = STEPS if steps is None else steps
    written = present = 0
    for key in storage.list(f"{family}/{old}"):
        if not key.endswith(".parquet"):
            continue
        table = pq.read_table(pa.BufferReader(storage.get(key)), page_checksum_verification=True)
        if major(table.schema.metadata[b"playmate_features"].decode()) == major(VERSION):
            raise SchemaError(f"{key} is of schema version {VERSION} already: nothing to migrate")
        unit = _renamed(upgraded(table, key, steps), new)
        stored = storage.put_if_absent(key.replace(f"/{old}/", f"/{new}/"), _bytes(unit))
        written, present = written + stored, present + (not stored)
    return Migrated(written, present)


def _renamed(table: pa.Table, fingerprint: str) -> pa.Table:
    at = table.schema.get_field_index("fingerprint")
    return table.set_column(at, table.schema.field(at), pa.array([fingerprint] * table.num_rows))


def _bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="none", use_dictionary=False, write_page_checksum=True)
    return sink.getvalue().to_pybytes()


