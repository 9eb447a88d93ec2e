"""Let one stage of a stream run ahead of the next in a thread of its own, by a bounded number of items."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

Item = TypeVar("Item")
_END = object()


def prefetch(items: Iterator[Item], ahead: int = 1) -> Generator[Item, None, None]:
    """The same items in the same order, made up to `ahead` early; an exception passes through at its place.

    Worth it where the items are made by code that releases the GIL (torch, OpenCV, FFmpeg). The thread ends when the
    items do, or when the consumer stops.
    """
    ready: queue.Queue = queue.Queue(ahead)
    stopped = threading.Event()
    thread = threading.Thread(target=_fill, args=(items, ready, stopped), daemon=True, name="prefetch")
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        stopped.set()
        while thread.is_alive():
            _drain(ready)
            thread.join(0.05)


def _fill(items: Iterator[Item], ready: queue.Queue, stopped: threading.Event) -> None:
    try:
        for item in items:
            if stopped.is_set():
                return
            ready.put((item, None))
        ready.put((_END, None))
    except BaseException as error:  # whatever it is belongs to the consumer
        ready.put((None, error))
    finally:
        if hasattr(items, "close"):
            items.close()


def _drain(ready: queue.Queue) -> None:
    while not ready.empty():
        ready.get_nowait()
