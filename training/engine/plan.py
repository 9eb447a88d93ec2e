"""What every process of a training run is told; it travels to workers, so its functions are ones they can import."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.compute.resources import Ask
from pipeline.core.config import Params
from pipeline.storage import Storage
from training.engine.context import Context
from training.engine.loop import State
from training.engine.record import Tracked
from training.engine.verdict import Row


def watch_nothing(job: Any, tracked: Tracked) -> AbstractContextManager[None]:
    """Of a training beside which nothing runs."""
    return nullcontext()


def judge_nothing(tracked: Tracked, history: list[Row]) -> None:
    """Of a training whose curve gets no verdict."""


@dataclass(frozen=True)
class RunPlan:
    """One run. A job is what `make_job(params, storage, name)` builds, on every worker from the same files."""

    experiment: str  # face_space | train_audio | train_emotion
    name: str  # the digest of all that enters is part of it
    work: str  # folder or s3:// location of checkpoints and Ray's own records
    params: Params
    fingerprints: dict[str, str]  # of all that enters, for the tracking record
    data: dict[str, Path]  # corpus -> what names its clips, for the record
    make_job: Callable[[Params, Storage, str], Any]
    train: Callable[[Any, Context], State]
    ask: Ask
    steps: int
    batch: int
    unit: str  # of a batch: windows | pairs
    sharded: bool = False
    plateau_after: int = 0  # validations without progress that are called a plateau; 0: never
    watch: Callable[[Any, Tracked], AbstractContextManager[None]] = watch_nothing  # on worker 0, while it trains
    notes: dict[str, str] = field(default_factory=dict)  # tags of the record: what was changed on the way
    judge: Callable[[Tracked, list[Row]], None] = judge_nothing  # on worker 0, of a finished run
