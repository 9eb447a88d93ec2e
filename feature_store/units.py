"""Finished work, one object for each clip and family: what makes extraction incremental and safe to kill.

Key: FAMILY/FINGERPRINT/CLIP-CONTENT.parquet. The fingerprint covers code, weights, parameters and schema; the
content covers the clip's own bytes. So nothing is ever looked up that another code or another clip made, and
changing one family leaves the other alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_store.manifest import Reject
from feature_store.schema import Tensor, check_version, encode_tensor, unit_schema
from pipeline.storage import Storage


class UnitDamaged(RuntimeError):
    """A stored unit cannot be read; the message says how to get rid of it."""


@dataclass(frozen=True)
class UnitKey:
    family: str
    fingerprint: str
    clip_id: str
    content: str  # digest of the clip's bytes that this family sees

    def __str__(self) -> str:
        return f"{self._stem}.parquet"

    @property
    def reject(self) -> str:
        """Key of the reason, where this work was given up for good."""
        return f"{self._stem}.reject.json"

    @property
    def _stem(self) -> str:
        return f"{self.family}/{self.fingerprint}/{self.clip_id}-{self.content[:16]}"


def write_unit(storage: Storage, key: UnitKey, frames: int, fps: int, tensors: tuple[Tensor, ...],
               values: dict[str, np.ndarray]) -> None:
    """Store one clip's tensors whole, or nothing; a unit that is there already stays."""
    row = {"clip_id": key.clip_id, "frames": frames, "fps": fps, "fingerprint": key.fingerprint}
    row |= {tensor.name: encode_tensor(tensor, values[tensor.name], frames) for tensor in tensors}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([row], schema=unit_schema(key.family, tensors)), sink,
                   compression="none", use_dictionary=False, write_page_checksum=True)
    storage.put_if_absent(str(key), sink.getvalue().to_pybytes())


def write_reject(storage: Storage, key: UnitKey, reject: Reject) -> None:
    """Store why a clip has no unit: the same clip and code would fail again."""
    storage.put_if_absent(key.reject, json.dumps(asdict(reject), sort_keys=True).encode())


def read_unit(storage: Storage, key: UnitKey) -> pa.Table:
    """One-row table of a unit; raises ObjectMissing, or UnitDamaged where its bytes do not check."""
    data = storage.get(str(key))
    try:
        table = pq.read_table(pa.BufferReader(data), page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise UnitDamaged(f"stored unit {key} is damaged ({error}): delete it and run again") from error
    check_version(table.schema.metadata[b"playmate_features"].decode(), str(key))
    return table


def existing(storage: Storage, family: str, fingerprint: str) -> set[str]:
    """Keys of all finished units and rejects of one family and fingerprint."""
    return set(storage.list(f"{family}/{fingerprint}"))
