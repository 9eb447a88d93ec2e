"""Finished work, one object for each clip and family: what makes extraction incremental and safe to kill.

Key: FAMILY/FINGERPRINT/CLIP-CONTENT.parquet. The fingerprint covers code, weights, parameters and schema; the
content covers the clip's own bytes. So nothing is ever looked up that another code or another clip made, and
changing one family leaves the other alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_store.manifest import Reject
from feature_store.schema import Tensor, check_version, encode_tensor, unit_schema
from pipeline.storage import ObjectDamaged, Storage


class UnitDamaged(RuntimeError):
    """The bytes of a stored unit are not those that were written."""


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
    def quarantine(self) -> str:
        """Key of the reason, where this work ended its process and may do better with other limits."""
        return f"{self._stem}.quarantine.json"

    @property
    def _stem(self) -> str:
        return f"{self.family}/{self.fingerprint}/{self.clip_id}-{self.content[:16]}"


class Store(Protocol):
    """What a finished unit is put into."""

    def put_if_absent(self, key: str, data: bytes) -> bool: ...


def write_unit(storage: Store, key: UnitKey, frames: int, fps: int, tensors: tuple[Tensor, ...],
               values: dict[str, np.ndarray]) -> None:
    """Store one clip's tensors whole, or nothing; a unit that is there already stays."""
    row = {"clip_id": key.clip_id, "frames": frames, "fps": fps, "fingerprint": key.fingerprint}
    row |= {tensor.name: encode_tensor(tensor, values[tensor.name], frames) for tensor in tensors}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([row], schema=unit_schema(key.family, tensors)), sink,
                   compression="none", use_dictionary=False, write_page_checksum=True)
    storage.put_if_absent(str(key), sink.getvalue().to_pybytes())


def write_reject(storage: Store, key: UnitKey, reject: Reject) -> None:
    """Store why a clip has no unit: the same clip and code would fail again."""
    storage.put_if_absent(key.reject, json.dumps(asdict(reject), sort_keys=True).encode())


def write_quarantine(storage: Storage, key: str, reject: Reject, limits: dict[str, float]) -> None:
    """Store under `key` (of `UnitKey.quarantine`) why a clip was given up under `limits` (of time and memory): with
    others it is tried again."""
    storage.put(key, json.dumps({"reject": asdict(reject), "limits": limits}, sort_keys=True).encode())


def read_quarantine(storage: Storage, key: UnitKey, limits: dict[str, float]) -> Reject | None:
    """The reason why a clip was given up, where that was under these limits."""
    value = json.loads(storage.get(key.quarantine))
    return Reject(**value["reject"]) if value["limits"] == limits else None


def read_unit(storage: Storage, key: UnitKey) -> pa.Table:
    """One-row table of a unit; raises ObjectMissing, or UnitDamaged where its bytes do not check."""
    try:
        data = storage.get(str(key))
    except ObjectDamaged as error:
        raise UnitDamaged(f"stored unit {key} is damaged ({error})") from error
    try:
        table = pq.read_table(pa.BufferReader(data), page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise UnitDamaged(f"stored unit {key} is damaged ({error})") from error
    check_version(table.schema.metadata[b"playmate_features"].decode(), str(key))
    return table


class KeySet:
    """Keys of all finished units, rejects and quarantines of one family and fingerprint, eight bytes each.

    Two keys that share their 64 bits (one chance in 10 million among a million keys) would make a clip look
    finished; packing it then stops with ObjectMissing.
    """

    def __init__(self, keys: Iterable[str]):
        self._hashes = np.sort(np.fromiter(map(_hash, keys), np.uint64))

    def __contains__(self, key: str) -> bool:
        wanted = _hash(key)
        at = int(np.searchsorted(self._hashes, wanted))
        return at < len(self._hashes) and self._hashes[at] == wanted

    def __len__(self) -> int:
        return len(self._hashes)


def existing(storage: Storage, family: str, fingerprint: str) -> KeySet:
    """What `storage` holds of one family and fingerprint."""
    return KeySet(storage.keys(f"{family}/{fingerprint}"))


def _hash(key: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big"))
