"""A few clips without Ray: one guarded child computes them one after the other, as one actor of Ray would.

Ray's start costs more than a few clips do. A child that dies leaves its note (extract/attempts.py); another one goes
on with the same clip, until that is given up.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np

from pipeline.compute.guard import Failure, GuardedWorker
from pipeline.core.config import parse_params
from pipeline.core.stage import die_with_parent
from stages.extract.actor import ExtractionActor, Work
from stages.extract.attempts import MAX_ATTEMPTS


class WorkerFailed(RuntimeError):
    """The child met an error that no clip is to blame for; the message is its own."""


def compute_few(work: Work, count: int) -> Iterator[dict]:
    """The statuses of the jobs 0 to `count` - 1 of the job file, in order; raises WorkerFailed, CannotStart."""
    told = {"params": work.params.model_dump(mode="json", by_alias=True), "store": work.store, "run": work.run,
            "project": work.project, "jobs": str(work.jobs), "make": f"{work.make.__module__}:{work.make.__qualname__}"}
    section = work.params.extract
    # twice the time: the attempt's own limit comes first, and leaves its note
    with GuardedWorker(__name__, told, 2 * section.max_clip_s, section.max_memory_gb) as child:
        for position in range(count):
            yield _status(child, position)


def _status(child: GuardedWorker, position: int) -> dict:
    for _ in range(MAX_ATTEMPTS):
        answer = child.run({"position": position})
        if isinstance(answer, Failure):
            if answer.code != "crash":
                raise WorkerFailed(answer.detail)
        elif "failed" in answer:
            print(answer["traceback"], file=sys.stderr, flush=True)
            raise WorkerFailed(answer["detail"])
        else:
            return answer
    # a clip would have been given up by now: it is not the clip
    raise WorkerFailed(f"the process that extracts clips ended {2 * MAX_ATTEMPTS} times before it began one")


def make_worker(settings: dict[str, Any]) -> Callable[[dict[str, int]], dict[str, Any]]:
    """Runs in the child: the one clip of a position -> its status."""
    die_with_parent(os.getppid())
    actor = ExtractionActor(Work(parse_params(settings["params"]), settings["store"], settings["run"],
                                 settings["project"], Path(settings["jobs"]), resolve_name(settings["make"])))

    def one(task: dict[str, int]) -> dict[str, Any]:
        columns = actor({"positions": [np.array([task["position"]], np.int32)]})
        return {name: values[0] for name, values in columns.items()}

    return one
