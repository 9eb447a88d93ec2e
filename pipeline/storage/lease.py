"""One writer at a time: on one machine by a lock that the system drops when its process ends, however it ends; over
several by a lease in the storage, with a number that only grows (fencing).

`leases/NAME/NUMBER.json` says who holds number NUMBER; it is made by `put_if_absent`, so each number has one holder,
and the highest number holds the lease. The holder renews a counter; who waits watches whether the counter moves, by
its own clock, so clocks that disagree do no harm. A holder that was stopped and wakes up after somebody took the
next number finds that out in `check`, before it commits.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from pipeline.storage.base import ObjectMissing, Storage

TTL_S = 60.0  # a holder that has not renewed for so long is taken for dead
RENEWALS = 4  # within TTL_S
SAME_START_S = 2.0  # a process' start is known no better: it is counted from the machine's start


class Busy(RuntimeError):
    """Another process holds the lock; the message says which."""


@contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path` for the block; raises Busy where another process does `what` right now.

    A stage that lost its `dvc` (killed) still holds it, so its successor cannot write beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise Busy(f"another {what} is running (process {holder}): wait until it ends, or end it") from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


class LeaseLost(RuntimeError):
    """Another process took over: nothing may be committed any more."""


class Unsafe(RuntimeError):
    """The storage lets two writers have the same key."""


class Lease:
    """Number `number` of the lease `name`."""

    def __init__(self, storage: Storage, name: str, number: int):
        self.storage, self.name, self.number = storage, name, number

    def check(self) -> None:
        """Raise LeaseLost where a higher number has been given out."""
        highest = max(_numbers(self.storage, self.name), default=0)
        if highest != self.number:
            raise LeaseLost(f"another process took over {self.name} (number {highest} after our {self.number}): "
                            "nothing of this run was committed; its finished clips are kept")

    def renew(self, count: int) -> None:
        self.storage.put(f"{_key(self.name, self.number)}.beat", str(count).encode())

    def release(self) -> None:
        self.storage.put(f"{_key(self.name, self.number)}.ended", b"")


@contextmanager
def hold(storage: Storage, name: str, what: str, ttl_s: float = TTL_S,
         sleep: Callable[[float], None] = time.sleep) -> Iterator[Lease]:
    """Hold the lease for the block, renewing it; waits for a dead holder's time to run out.

    Raises Busy where the holder is alive, Unsafe where the storage ignores conditional writes.
    """
    lease = _acquire(storage, name, what, ttl_s, sleep)
    stop = threading.Event()
    thread = threading.Thread(target=_renew_until, args=(lease, stop, ttl_s / RENEWALS), daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        stop.set()
        thread.join()
        lease.release()


def _acquire(storage: Storage, name: str, what: str, ttl_s: float, sleep: Callable[[float], None]) -> Lease:
    numbers = _numbers(storage, name)
    number = max(numbers, default=0)
    holder = _holder(storage, name, number)
    if holder is not None and not _dead_here(holder):
        _wait_for(storage, name, number, f"another {what} is running (process {holder['pid']} on {holder['host']}): "
                  "wait until it ends, or end it", ttl_s, sleep)
    mine = json.dumps(_me(), sort_keys=True).encode()
    key = f"{_key(name, number + 1)}.json"
    if not storage.put_if_absent(key, mine):
        raise Busy(f"another {what} has just begun: wait until it ends, or end it")
    if storage.put_if_absent(key, mine):
        raise Unsafe("this storage ignores conditional writes (If-None-Match): two runs would overwrite each other; "
                     "use a server that has them, or a local feature_store.root")
    for old in numbers:
        for suffix in ("json", "beat", "ended"):
            storage.delete(f"{_key(name, old)}.{suffix}")
    return Lease(storage, name, number + 1)


def _wait_for(storage: Storage, name: str, number: int, busy: str, ttl_s: float, sleep: Callable[[float], None],
              ) -> None:
    """Return when the holder has ended or has not renewed for `ttl_s`; raise Busy when it renews."""
    first = _beat(storage, name, number)
    for _ in range(2 * RENEWALS):
        sleep(ttl_s / (2 * RENEWALS))
        if _holder(storage, name, number) is None:
            return
        if _beat(storage, name, number) != first:
            raise Busy(busy)


def _holder(storage: Storage, name: str, number: int) -> dict | None:
    try:
        holder = json.loads(storage.get(f"{_key(name, number)}.json"))
    except ObjectMissing:
        return None
    return None if _stored_bytes(storage, f"{_key(name, number)}.ended") is not None else holder


def _beat(storage: Storage, name: str, number: int) -> bytes | None:
    return _stored_bytes(storage, f"{_key(name, number)}.beat")


def _stored_bytes(storage: Storage, key: str) -> bytes | None:
    try:
        return storage.get(key)
    except ObjectMissing:
        return None


def _me() -> dict:
    return {"host": socket.gethostname(), "pid": os.getpid(), "began": psutil.Process().create_time()}


def _dead_here(holder: dict) -> bool:
    """Whether the holder was a process of this machine that is no more."""
    if holder["host"] != socket.gethostname():
        return False
    try:
        began = psutil.Process(holder["pid"]).create_time()
    except psutil.NoSuchProcess:
        return True
    return abs(began - holder["began"]) > SAME_START_S  # else another process got the number of a dead one


def _renew_until(lease: Lease, stop: threading.Event, every_s: float) -> None:
    count = 0
    while not stop.wait(every_s):
        count += 1
        try:
            lease.renew(count)
        except OSError:  # a store that is away for a moment: `check` decides before anything is committed
            continue


def _numbers(storage: Storage, name: str) -> list[int]:
    keys = storage.list(f"leases/{name}")
    return sorted(int(key.rpartition("/")[2].removesuffix(".json")) for key in keys if key.endswith(".json"))


def _key(name: str, number: int) -> str:
    return f"leases/{name}/{number:09d}"
