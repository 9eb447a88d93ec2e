"""The child of `guard`: `python -m pipeline.compute.guarded_child MODULE`, lines of JSON in and out."""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

GRACE_S = 2.0  # for the parent, which ends a late child with a reason


def main() -> None:
    """Answer `settings` once, then every task; end with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle: it closes us
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)                                 # what libraries print must not mix with answers
    first = json.loads(sys.stdin.readline())
    try:
        worker = importlib.import_module(sys.argv[1]).make_worker(first["settings"])
        if first["memory_gb"] is not None:
            limit_memory(first["memory_gb"])
    except Exception as error:
        _say(answers, {"failed": f"{type(error).__name__}: {error}"})
        return
    _say(answers, {"ready": True})
    for line in sys.stdin:
        end_after(first["limit_s"] + GRACE_S)
        answer = _result(worker, json.loads(line))
        end_after(0)
        _say(answers, answer)


def end_after(seconds: float) -> None:
    """Let the kernel end this process then, whatever it is doing; 0: not any more.

    The parent ends a late child, unless it has been killed itself: an endless decoder would outlive it for ever.
    """
    signal.setitimer(signal.ITIMER_REAL, seconds)  # its signal, left alone, ends a process


def limit_memory(gigabytes: float) -> None:
    """Bound the address space to what is used now and `gigabytes` more; a limit that is there already is not raised."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + int(gigabytes * 2**30)
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _result(worker: Callable[[dict], dict], task: dict[str, Any]) -> dict[str, Any]:
    try:
        return worker(task)
    except Exception as error:
        if is_memory_error(error):
            return {"failed": "memory"}
        return {"failed": "error", "detail": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}


def is_memory_error(error: BaseException) -> bool:
    """Whether `error` says that memory has run out: Python's own, or one of the forms that native libraries use."""
    text = str(error)
    return isinstance(error, MemoryError) or "bad_alloc" in text or "Insufficient memory" in text \
        or "Cannot allocate memory" in text or "Failed to allocate" in text


def _say(stream, message: dict[str, Any]) -> None:
    stream.write(json.dumps(message, allow_nan=False) + "\n")
    stream.flush()


if __name__ == "__main__":
    main()
