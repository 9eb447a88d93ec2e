"""`python -m tests.training.engine.kill_child FOLDER SCENARIO...`: trains in a forked child and kills it.

One process imports torch; the children are forks of it. `step:N` kills at the end of step N, `timer:N:MS` that many
milliseconds after it, `torn:N` in the middle of writing the N-th object, `renaming:N` just before it gets its name,
`renamed:N` just after. Prints each scenario with the signal that ended its child.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import torch

from tests.training.toy import clips, job, model
from training.engine.context import PlainContext
from training.motion.job import Job
from training.motion.learner import train

STEPS = 8


def make(folder: Path) -> Job:
    """The run that every scenario interrupts."""
    return job(folder, model(dropout=0.2), clips(), steps=STEPS)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arrange(scenario: str, made: Job) -> None:
    """Have this process killed as the scenario says."""
    kind, *numbers = scenario.split(":")
    number = int(numbers[0])
    if kind == "step":
        made.on_step = lambda step: die() if step == number else None
    elif kind == "timer":
        made.on_step = lambda step: threading.Timer(int(numbers[1]) / 1000, die).start() if step == number else None
    elif kind == "torn":
        os.fsync = _nth(os.fsync, number, lambda file: (os.truncate(file, os.fstat(file).st_size // 2), die()))
    elif kind == "renaming":
        os.replace = _nth(os.replace, number, lambda *names: die())
    else:
        replace = os.replace
        os.replace = _nth(os.replace, number, lambda *names: (replace(*names), die()))


def _nth(function, number: int, instead):
    calls = []

    def counted(*arguments):
        calls.append(arguments)
        return instead(*arguments) if len(calls) == number else function(*arguments)

    return counted


def main(folder: Path, scenarios: list[str]) -> None:
    torch.set_num_threads(1)
    for scenario in scenarios:
        child = os.fork()
        if child == 0:
            made = make(folder / scenario)
            arrange(scenario, made)
            train(made, PlainContext())
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(scenario, os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
