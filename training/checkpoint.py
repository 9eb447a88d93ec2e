"""Checkpoints of a training run, in a folder or on S3: whole or absent, verified when read, two kept.

One object a checkpoint, `step_XXXXXXXX.pt`: the sha256 of the rest as 64 hex digits, then what `torch.save` wrote.
"""

from __future__ import annotations

import hashlib
import io
import logging
import pickle
from typing import Any

import torch

from pipeline.storage import ObjectMissing, Storage

log = logging.getLogger(__name__)
KEEP = 2
FOLDER = "checkpoints"


class CheckpointStore:
    """The checkpoints of one run below `prefix` of a storage."""

    def __init__(self, storage: Storage, prefix: str):
        self.storage, self.folder = storage, f"{prefix}/{FOLDER}"

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the state after `step` steps (tensors and plain values only), then drop all but the newest two."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        data = buffer.getvalue()
        self.storage.put(self._key(step), hashlib.sha256(data).hexdigest().encode() + data)
        for old in self.steps()[:-KEEP]:
            self.storage.delete(self._key(old))

    def load_latest(self) -> dict[str, Any] | None:
        """The newest state that is whole, on the CPU; None where there is none. Says which ones were damaged."""
        for step in reversed(self.steps()):
            try:
                return self._load(step)
            except (ObjectMissing, ValueError, RuntimeError, pickle.UnpicklingError) as error:
                log.warning("checkpoint %s is damaged (%s): using the one before", self._key(step), error)
        return None

    def steps(self) -> list[int]:
        """Steps that have a checkpoint, oldest first."""
        names = (key.rpartition("/")[2] for key in self.storage.list(self.folder))
        return sorted(int(name[5:-3]) for name in names if name.startswith("step_") and name.endswith(".pt"))

    def _load(self, step: int) -> dict[str, Any]:
        data = self.storage.get(self._key(step))
        if hashlib.sha256(data[64:]).hexdigest().encode() != data[:64]:
            raise ValueError("its bytes do not match its sha256")
        return torch.load(io.BytesIO(data[64:]), map_location="cpu", weights_only=True)

    def _key(self, step: int) -> str:
        return f"{self.folder}/step_{step:08d}.pt"
