"""Writing without stopping the training: one job at a time in a thread, the next one waits for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class Background:
    """`submit` returns at once unless the job before is still running; its error is raised by the next call."""

    def __init__(self, name: str):
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._last: Future | None = None

    def submit(self, work: Callable[..., Any], *arguments: Any) -> None:
        """Do `work` in the thread, after the job before: memory holds one job's data at most."""
        self.wait()
        self._last = self._pool.submit(work, *arguments)

    def offer(self, work: Callable[..., Any], *arguments: Any) -> bool:
        """`submit` if the thread is free; False, and nothing is done, if not."""
        if self._last is not None and not self._last.done():
            return False
        self.submit(work, *arguments)
        return True

    def wait(self) -> None:
        """Until all is done; raises what it raised."""
        if self._last is not None:
            last, self._last = self._last, None
            last.result()

    def close(self) -> None:
        """Wait, end the thread; raises what the last job raised."""
        try:
            self.wait()
        finally:
            self._pool.shutdown()
