"""What happens when a loss or a gradient is not finite: the run stops before the step, with the clips on record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.storage import Storage

STOPPED = "stopped"


class TrainingStopped(RuntimeError):
    """The loss, a gradient or the validation is not finite; the message names the step and the clips."""


@dataclass(frozen=True)
class Stop:
    """What one worker saw at `step`, counted from 1."""

    step: int
    clip_ids: list[str] = field(default_factory=list)
    times: list[Any] = field(default_factory=list)  # diffusion time of each sample, or its frames
    losses: list[str] = field(default_factory=list)  # of each sample; as text, which holds nan and inf
    bad_clip_ids: list[str] = field(default_factory=list)  # those whose own loss is not finite
    validation: bool = False  # no batch: the validation loss is not finite


def batch_stop(step: int, clip_ids: list[str], times: list[Any], losses: list[float]) -> Stop:
    """The stop before step `step` (counted from 0) whose samples have these losses."""
    bad = [clip for clip, loss in zip(clip_ids, losses, strict=True) if not abs(loss) < float("inf")]
    return Stop(step + 1, clip_ids, times, [str(loss) for loss in losses], bad)


def save_stop(storage: Storage, run: str, rank: int, stop: Stop) -> None:
    """Keep the record as `<run>/stopped/rank_XXXXX.json`."""
    storage.put(f"{run}/{STOPPED}/rank_{rank:05d}.json", (json.dumps(asdict(stop), indent=1) + "\n").encode())


def clear_stops(storage: Storage, run: str) -> None:
    """Forget the records of an earlier try."""
    for key in storage.list(f"{run}/{STOPPED}"):
        storage.delete(key)


def load_stops(storage: Storage, run: str) -> list[Stop]:
    """The records of all workers; none where none stopped."""
    return [Stop(**json.loads(storage.get(key))) for key in storage.list(f"{run}/{STOPPED}")]


def stop_message(stops: Sequence[Stop], run: str) -> str:
    """One sentence out of the records of all workers, at least one."""
    step = stops[0].step
    if any(stop.validation for stop in stops):
        return (f"training stopped at step {step}: the validation loss is not finite; look at the validation clips' "
                "features, or lower lr")
    bad = [clip for stop in stops for clip in stop.bad_clip_ids]
    named = ", ".join(dict.fromkeys(bad or [clip for stop in stops for clip in stop.clip_ids]))
    which = f"clips {named} have a loss" if bad else f"clips {named} give a gradient"
    return (f"training stopped before step {step}: {which} that is not finite; the weights are untouched, the batch "
            f"is recorded in {run}/{STOPPED}. Check these clips' features, or lower lr")
