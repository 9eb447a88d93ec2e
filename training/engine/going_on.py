"""How a run goes on though something was changed: the difference is stated, kept beside the run, and in its record.

A run's folder holds `asked.json`, what it was started with last, and `changes.json`, a row for every start with
something else. What changes no step goes on by itself, under the same name. For all else (more steps, repaired code,
more clips) the user says so: `resume` names the earlier run, whose newest checkpoint, optimiser and all, the new one
begins with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pipeline.storage import ObjectMissing, Storage, open_storage
from training.engine.checkpoint import CheckpointStore
from training.engine.plan import RunPlan

ASKED, CHANGES = "asked.json", "changes.json"
# what the weights were made for, and what of it may change nevertheless
FIXED = ("model.", "speech.", "face_space", "emotion.", "diffusion.target", "diffusion.steps", "diffusion.schedule")
FREE = ("model.dropout", "speech.piece_s", "speech.overlap_s", "speech.checkpoint")
SHOWN = 12   # digits of a digest


class CannotGoOn(ValueError):
    """The run that `resume` names is not there, or this one cannot begin where it is; the message says why."""


def go_on(plan: RunPlan, asked: dict[str, Any], resume: str | None, say: Callable[[str], None]) -> RunPlan:
    """Begin where run `resume` is, if that is asked for and not done; say what differs from what was asked before.

    `asked`: all values and digests, nested. The plan comes back with what differed in its `notes`, for the tracking
    record. Raises CannotGoOn.
    """
    storage = open_storage(plan.work)
    own = CheckpointStore(storage, plan.name)
    if resume is not None and not own.steps():
        _begin_at(resume, own, plan, asked, say)
    elif (steps := own.steps()) and steps[-1] < plan.steps:
        found = differences(_json(storage, f"{plan.name}/{ASKED}") or asked, asked)
        if found:
            _note(storage, plan, {"step": steps[-1], "run": plan.name, "differences": found}, say)
    storage.put(f"{plan.name}/{ASKED}", json.dumps(asked, indent=1, sort_keys=True).encode())
    return replace(plan, notes={f"changed_{place}": sentence(row)
                                for place, row in enumerate(changes(storage, plan.name), 1)})


def _begin_at(resume: str, own: CheckpointStore, plan: RunPlan, asked: dict[str, Any],
              say: Callable[[str], None]) -> None:
    """Give the new run the newest and the best checkpoint of `resume`."""
    other, what = CheckpointStore(own.storage, resume), f"{plan.experiment}.resume {resume}"
    before, state = _json(own.storage, f"{resume}/{ASKED}"), other.load_latest()
    if state is None or before is None:
        raise CannotGoOn(f"{what}: {plan.work} has no checkpoint of such a run; the stage names its run when it starts")
    found = differences(before, asked)
    if unfit := [line for line in found if line.startswith(FIXED) and not line.startswith(FREE)]:
        raise CannotGoOn(f"{what}: its weights do not fit: {', '.join(unfit)}")
    if state["step"] >= plan.steps:
        raise CannotGoOn(f"{what}: it has taken {state['step']} steps and {plan.experiment}.steps is {plan.steps}: "
                         "raise it")
    _note(own.storage, plan, {"step": state["step"], "run": resume, "differences": found}, say)
    with suppress(ObjectMissing):
        own.save_best(other.load_best())
    own.save(state["step"], state | {"finished": False})


def _note(storage: Storage, plan: RunPlan, row: dict[str, Any], say: Callable[[str], None]) -> None:
    """Say it and keep it, once."""
    rows = changes(storage, plan.name)
    if row not in rows[-1:]:
        storage.put(f"{plan.name}/{CHANGES}", json.dumps([*rows, row], indent=1).encode())
    say(f"{plan.experiment}: {sentence(row)}")


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """`key: before -> now` for every value that differs, nested keys with dots."""
    old, new = dict(_leaves(before)), dict(_leaves(now))
    return [f"{key}: {_as_text(old.get(key))} -> {_as_text(new.get(key))}" for key in sorted({*old, *new})
            if old.get(key) != new.get(key)]


def changes(storage: Storage, run: str) -> list[dict[str, Any]]:
    """Every start of a run with something else, in order: step, the run it began with, differences."""
    return _json(storage, f"{run}/{CHANGES}") or []


def sentence(row: dict[str, Any]) -> str:
    """One such start in words."""
    return f"goes on from step {row['step']} of run {row['run']} with {', '.join(row['differences']) or 'no change'}"


def _leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _as_text(value: Any) -> str:
    return value[:SHOWN] if isinstance(value, str) and len(value) == 32 else str(value)


def _json(storage: Storage, key: str) -> Any:
    try:
        return json.loads(storage.get(key))
    except ObjectMissing:
        return None
