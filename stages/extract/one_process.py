"""A few clips without Ray: one child process computes them one after the other, as one actor of Ray would.

Ray's start costs more than a few clips do. A child that dies leaves its note (extraction/attempts.py); another one goes
on with the same clip, until that is given up. What the child says is JSON: nothing of it is unpickled.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection

import numpy as np

from pipeline.core.stage import die_with_parent
from stages.extract.actor import ExtractionActor, Work
from stages.extract.attempts import MAX_ATTEMPTS


class WorkerFailed(RuntimeError):
    """The child met an error that no clip is to blame for; the message is its own."""


def compute_few(work: Work, count: int) -> Iterator[dict]:
    """The statuses of the jobs 0 to `count` - 1 of the job file, in order; raises WorkerFailed."""
    done, deaths = 0, 0
    while done < count:
        before = done
        for status in _of_one_child(work, range(done, count)):
            done += 1
            yield status
        deaths = 1 if done > before else deaths + 1
        if deaths > MAX_ATTEMPTS:  # the clip would have been given up by now: it is not the clip
            raise WorkerFailed(f"the process that extracts clips ended {deaths} times before it began one")


def _of_one_child(work: Work, positions: range) -> Iterator[dict]:
    """Statuses until all are done or the child dies."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as in Ray's actors: several threads round otherwise, and fight
    context = multiprocessing.get_context("spawn")  # no fork: the parent may have threads
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_serve, args=(work, positions, there, os.getpid()))
    child.start()
    there.close()
    try:
        for _ in positions:
            said = json.loads(here.recv_bytes())
            if "failed" in said:
                raise WorkerFailed(said["failed"])
            yield said
    except EOFError:
        return
    finally:
        child.kill()
        child.join()
        here.close()


def _serve(work: Work, positions: range, parent: Connection, parent_pid: int) -> None:
    die_with_parent(parent_pid)
    try:
        actor = ExtractionActor(work)
        for position in positions:
            columns = actor({"positions": [np.array([position], np.int32)]})
            parent.send_bytes(json.dumps({name: values[0] for name, values in columns.items()}).encode())
    except Exception as error:
        traceback.print_exc()
        parent.send_bytes(json.dumps({"failed": f"{type(error).__name__}: {error}"}).encode())
