"""Workers of test_work; they are imported in processes of their own."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


class Squarer:
    """Squares a number; a text is an order: what to do instead."""

    def __init__(self, log: Path):
        self.log = log
        self._note("made")

    def __call__(self, task: int | str) -> tuple[int, int]:
        if task == "raise":
            raise ValueError("no number")
        if task == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if task == "die once" and not (self.log / "died").exists():
            (self.log / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if task == "hang":
            (self.log / "hangs").write_text(str(os.getpid()))
            time.sleep(3600)
        return os.getpid(), task**2 if isinstance(task, int) else 0

    def close(self) -> None:
        self._note("closed")

    def _note(self, what: str) -> None:
        with (self.log / what).open("a") as file:
            file.write(".")


class SeesGpu:
    """Says which GPU it sees, once `count` processes are there."""

    def __init__(self, log: Path, count: int):
        self.log, self.count = log, count

    def __call__(self, task: int) -> str:
        (self.log / str(task)).touch()
        end = time.monotonic() + 60
        while len(list(self.log.iterdir())) < self.count:
            assert time.monotonic() < end
            time.sleep(0.02)
        return os.environ["CUDA_VISIBLE_DEVICES"]


def broken() -> Squarer:
    raise FileNotFoundError("weights are missing")
