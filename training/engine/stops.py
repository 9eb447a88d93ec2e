"""What happens when a loss or a gradient is not finite: the run stops before the step, with the clips on record."""

from __future__ import annotations

import json
from typing import Any

from torch import Tensor

from pipeline.storage import Storage
from training.motion.batches import Batch

STOPPED = "stopped"


class TrainingStopped(RuntimeError):
    """The loss, a gradient or the validation is not finite; the message names the step and the clips."""


def stop_record(step: int, batch: Batch, losses: Tensor) -> dict[str, Any]:
    """What one worker saw at `step` (counted from 0): its clips, and those whose own loss is not finite."""
    finite = losses.isfinite().tolist()
    return {"step": step + 1, "clip_ids": batch.clip_ids, "times": batch.time.tolist(),
            "losses": [str(value) for value in losses.tolist()],
            "bad_clip_ids": [clip for clip, good in zip(batch.clip_ids, finite, strict=True) if not good]}


def save_stop(storage: Storage, run: str, rank: int, record: dict[str, Any]) -> str:
    """Keep the record as `<run>/stopped/rank_XXXXX.json`; returns the key."""
    key = f"{run}/{STOPPED}/rank_{rank:05d}.json"
    storage.put(key, (json.dumps(record, indent=1) + "\n").encode())
    return key


def clear_stops(storage: Storage, run: str) -> None:
    """Forget the records of an earlier try."""
    for key in storage.list(f"{run}/{STOPPED}"):
        storage.delete(key)


def stop_message(storage: Storage, run: str) -> str | None:
    """One sentence out of the records of all workers; None where none stopped."""
    records = [json.loads(storage.get(key)) for key in storage.list(f"{run}/{STOPPED}")]
    if not records:
        return None
    if any(record.get("validation") for record in records):
        return (f"training stopped at step {records[0]['step']}: the validation loss is not finite; look at the "
                "validation clips' features, or lower lr")
    bad = [clip for record in records for clip in record["bad_clip_ids"]]
    named = ", ".join(dict.fromkeys(bad or [clip for record in records for clip in record["clip_ids"]]))
    which = f"clips {named} have a loss" if bad else f"clips {named} give a gradient"
    return (f"training stopped before step {records[0]['step']}: {which} that is not finite; the weights are "
            f"untouched, the batch is recorded in {run}/{STOPPED}. Check these clips' features, or lower lr")
