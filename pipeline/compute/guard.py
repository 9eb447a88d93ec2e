"""A process of its own for work on hostile files: bounded in time and memory, replaced when it dies.

Native decoders hang, crash and eat memory; a limit inside their own process cannot be relied on. The child is started
once and handles one task after another, so its start is paid once. Parent and child exchange lines of JSON: nothing
from a child that a file may have taken over is unpickled.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

START_S = 300.0
ROOT = Path(__file__).resolve().parents[2]


class ChildDied(Exception):
    """The child ended without an answer."""


class CannotStart(RuntimeError):
    """The child cannot even be made ready: that is no fault of a task."""


class ChildLate(Exception):
    """No answer in time; the child was killed."""


@dataclass(frozen=True)
class Failure:
    """A task that its process did not survive: code timeout, crash or out_of_memory."""

    code: str
    detail: str
    value: float | None = None


class GuardedWorker:
    """Runs `module.make_worker(settings)(task)` in a child process. Not for use by two threads at once.

    `memory_gb` None: without a bound of its address space, where a GPU's driver maps far more than it uses. `gpu`:
    which one the child sees, by CUDA's name; None: as this process.
    """

    def __init__(self, module: str, settings: dict[str, Any], limit_s: float, memory_gb: float | None,
                 gpu: str | None = None):
        self._module, self._settings, self._gpu = module, settings, gpu
        self._limit_s, self._memory_gb = limit_s, memory_gb
        self._child: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._rest = b""

    def run(self, task: dict[str, Any]) -> dict[str, Any] | Failure:
        """The answer, or why there is none. A task whose child dies gets one more try in a fresh child.

        Raises CannotStart.
        """
        for attempt in (1, 2):
            try:
                answer = self._ask(task)
            except ChildLate:
                return Failure("timeout", f"no result within {self._limit_s:g} s", self._limit_s)
            except ChildDied as error:
                if attempt == 2:
                    return Failure("crash", f"its process ended twice: {error}")
                continue
            if answer.get("failed") == "memory":
                self.close()
                return Failure("out_of_memory", f"needs more than {self._memory_gb:g} GB", self._memory_gb)
            return answer
        raise AssertionError("unreachable")

    def _ask(self, task: dict[str, Any]) -> dict[str, Any]:
        if self._child is None:
            self._start()
        self._send(task)
        return self._answer(self._limit_s)

    def _start(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the child
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [
            os.environ.get("PYTHONPATH")])]), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
                       **({} if self._gpu is None else {"CUDA_VISIBLE_DEVICES": self._gpu})}
        self._child = subprocess.Popen([sys.executable, "-m", "pipeline.compute.guarded_child", self._module],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
                                       env=environment)
        self._rest = b""
        try:
            self._send({"settings": self._settings, "limit_s": self._limit_s, "memory_gb": self._memory_gb})
            answer = self._answer(START_S)
        except (ChildDied, ChildLate) as error:
            raise CannotStart(f"the worker process cannot start: {error}\n{self._said()}") from error
        if "failed" in answer:
            self.close()
            raise CannotStart(f"the worker process cannot start: {answer['failed']}")

    def _send(self, message: dict[str, Any]) -> None:
        try:
            to_child, _ = self._pipes()
            to_child.write(json.dumps(message).encode() + b"\n")
            to_child.flush()
        except BrokenPipeError as error:
            raise ChildDied(self._how_it_ended()) from error

    def _answer(self, limit_s: float) -> dict[str, Any]:
        end = time.monotonic() + limit_s
        _, output = self._pipes()
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if not selector.select(max(0.0, end - time.monotonic())):
                    self.close()
                    raise ChildLate(f"no answer within {limit_s:g} s")
                piece = os.read(output.fileno(), 1 << 16)
                if not piece:
                    raise ChildDied(self._how_it_ended())
                self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return json.loads(line)

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._child is not None and self._child.stdin is not None and self._child.stdout is not None
        return self._child.stdin, self._child.stdout

    def _how_it_ended(self) -> str:
        assert self._child is not None
        code = self._child.wait()
        self._child = None
        return f"by {signal.Signals(-code).name}" if code < 0 else f"with exit status {code}"

    def _said(self) -> str:
        assert self._errors is not None
        self._errors.seek(0)
        return self._errors.read()[-2000:].decode(errors="replace")

    def close(self) -> None:
        """Kill the child, if there is one."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            for pipe in self._pipes():
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
            self._child = None
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    def __enter__(self) -> GuardedWorker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
