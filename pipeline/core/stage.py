"""How every stage starts: `python -m stages.NAME[.stage] [corpus]`, run by DVC.

DVC does not end a stage when it is killed itself, and the next `dvc repro` would start a second writer beside the
orphan. So a stage asks the system to be ended with its parent (Linux; elsewhere the stages' own locks refuse).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from pipeline.core import heartbeat, outputs
from pipeline.core.fingerprint import PACKAGES

PR_SET_PDEATHSIG = 1


def run_as_stage(main: Callable[..., object], *arguments: str) -> None:
    """Run `main` and exit; our own errors are one line without a traceback, all others show where they came from."""
    die_with_parent(os.getppid())
    script = Path(sys.argv[0])
    name = script.parent.name if script.stem == "stage" else script.stem
    outputs.begin_notes()
    signal.signal(signal.SIGTERM, _end_by_signal)
    try:
        with heartbeat.stage("@".join([name, *arguments])):
            main(*arguments)
            outputs.check(apart="@".join([name, *arguments]))   # DVC empties the next stage's as soon as this one ends
    except KeyboardInterrupt:
        print(f"{name}: interrupted; `dvc repro` goes on from here", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if type(error).__module__.split(".")[0] not in PACKAGES:
            raise
        sys.exit(f"{name}: {error}")


def _end_by_signal(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)   # whatever is open is closed on the way out


def die_with_parent(parent: int) -> None:
    """Have this process killed when process `parent`, its parent, ends; exit at once if it has ended already."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the process that started this stage has ended")
