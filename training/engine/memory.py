"""Memory that a training step used, handed to the next one and not to the system: fresh pages, which the system clears
first, cost as much again as the bytes that are written to them."""

from __future__ import annotations

import ctypes
import platform
import weakref
from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
KEPT_BYTES, LARGEST_BYTES = 1 << 28, 1 << 25  # 32 MB is the most that glibc takes for the second


def keep_freed_memory() -> None:
    """Have glibc hand freed memory to the next step and not to the system.

    By its own rule it returns what lies free above twice its largest block, and every step takes the same pages anew: a
    page fault each, a third of the time in which a batch is built. Elsewhere than on glibc nothing is done.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST_BYTES)


class ReusedMemory:
    """Arrays of one shape and type at a time; another one makes it forget those it has. Threads may share it.

    For blocks of more than 32 MB, which glibc asks the system for each time: the speech of a batch at the paper's size
    has 87 MB.
    """

    def __init__(self) -> None:
        self._free: tuple[tuple[tuple[int, ...], np.dtype], list[np.ndarray]] = ((), np.dtype(bool)), []

    def empty(self, shape: Sequence[int], dtype: DTypeLike) -> np.ndarray:
        """As `numpy.empty`. When the array and all views and tensors of it are gone, its memory is free again."""
        wanted = tuple(shape), np.dtype(dtype)
        kind, free = self._free     # read at once: what comes back after a change is dropped with its list
        if kind != wanted:
            kind, free = self._free = wanted, []
        try:
            memory = free.pop()
        except IndexError:
            memory = np.empty(*kind)
        # a view of a view names the array below both, so what is waited for must not be a view of an array
        lent = np.frombuffer(memory.data, memory.dtype)
        weakref.finalize(lent, free.append, memory).atexit = False
        return lent.reshape(memory.shape)
