"""Checkpoints of a training run, in a folder or on S3: whole or absent, verified when read.

The newest two and the best one are kept. One object a checkpoint, `step_XXXXXXXX.pt` or `best.pt`: the sha256 of the
rest as 64 hex digits, then what `torch.save` wrote.
"""

from __future__ import annotations

import hashlib
import io
import logging
import pickle
from typing import Any

import torch

from pipeline.storage import ObjectDamaged, ObjectMissing, Storage

log = logging.getLogger(__name__)
KEEP = 2
FOLDER, BEST = "checkpoints", "best"
_DAMAGE = (ObjectMissing, ObjectDamaged, ValueError, RuntimeError, EOFError, pickle.UnpicklingError)


class CheckpointStore:
    """The checkpoints of run `prefix` of a storage."""

    def __init__(self, storage: Storage, prefix: str):
        self.storage, self.run, self.folder = storage, prefix, f"{prefix}/{FOLDER}"

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the state after `step` steps (tensors and plain values only), then drop all but the newest two."""
        self._write(self._key(step), state)
        for old in self.steps()[:-KEEP]:
            self.storage.delete(self._key(old))

    def save_best(self, state: dict[str, Any]) -> None:
        """Write or replace the best state so far."""
        self._write(f"{self.folder}/{BEST}.pt", state)

    def load_latest(self) -> dict[str, Any] | None:
        """The newest state that is whole, on the CPU; None where there is none. Says which ones were damaged."""
        for step in reversed(self.steps()):
            try:
                return self._read(self._key(step))
            except _DAMAGE as error:
                log.warning("checkpoint %s is damaged (%s): using the one before", self._key(step), error)
        return None

    def load_best(self) -> dict[str, Any]:
        """The best state; raises ObjectMissing where there is none, ValueError or ObjectDamaged for a damaged one."""
        return self._read(f"{self.folder}/{BEST}.pt")

    def steps(self) -> list[int]:
        """Steps that have a checkpoint, oldest first."""
        names = (key.rpartition("/")[2] for key in self.storage.list(self.folder))
        return sorted(int(name[5:-3]) for name in names if name.startswith("step_") and name.endswith(".pt"))

    def _write(self, key: str, state: dict[str, Any]) -> None:
        buffer = io.BytesIO()
        torch.save(state, buffer)
        data = buffer.getvalue()
        self.storage.put(key, hashlib.sha256(data).hexdigest().encode() + data)

    def _read(self, key: str) -> dict[str, Any]:
        data = self.storage.get(key)
        if hashlib.sha256(data[64:]).hexdigest().encode() != data[:64]:
            raise ValueError(f"the bytes of {key} do not match its sha256")
        return torch.load(io.BytesIO(data[64:]), map_location="cpu", weights_only=True)

    def _key(self, step: int) -> str:
        return f"{self.folder}/step_{step:08d}.pt"
