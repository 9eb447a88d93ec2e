"""One writer over several machines, and what becomes of a holder that died, sleeps or wakes up too late."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from pipeline.storage import lease, open_storage
from pipeline.storage.lease import Busy, LeaseLost, Unsafe, hold
from pipeline.storage.local import LocalStorage


@pytest.fixture(params=["local", "s3"])
def storage(request, tmp_path):
    return LocalStorage(tmp_path) if request.param == "local" else open_storage(
        f"s3://{request.getfixturevalue('s3_bucket')}/p")


def elsewhere(storage, number: int) -> None:
    """A holder on another machine, of which nothing is known but what it writes."""
    storage.put(f"leases/x/{number:09d}.json", json.dumps({"host": "other", "pid": 1, "began": 0.0}).encode())


def never(_: float) -> None:
    raise AssertionError("there is nothing to wait for")


def test_numbers_only_grow_and_old_ones_are_swept(storage):
    for number in (1, 2, 3):
        with hold(storage, "x", "run", sleep=never) as mine:
            assert mine.number == number
            mine.check()
    assert storage.list("leases/x") == ["leases/x/000000003.ended", "leases/x/000000003.json"]


def test_a_holder_that_renews_is_not_disturbed(storage):
    elsewhere(storage, 7)
    beats = iter(range(100))

    def sleep(_):
        storage.put("leases/x/000000007.beat", str(next(beats)).encode())

    with pytest.raises(Busy, match=r"another run is running \(process 1 on other\)"), hold(
            storage, "x", "run", sleep=sleep):
        pass


def test_a_silent_holder_is_followed_and_cannot_commit_when_it_wakes_up(storage):
    elsewhere(storage, 7)
    sleeper, waited = lease.Lease(storage, "x", 7), []
    sleeper.check()
    with hold(storage, "x", "run", ttl_s=60, sleep=waited.append) as mine:
        assert mine.number == 8 and sum(waited) == 60
        with pytest.raises(LeaseLost, match="number 8 after our 7"):
            sleeper.check()
        sleeper.renew(5)
        mine.check()


def test_a_holder_that_ends_while_we_wait_is_followed_at_once(storage):
    elsewhere(storage, 7)
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        storage.put("leases/x/000000007.ended", b"")

    with hold(storage, "x", "run", sleep=sleep) as mine:
        assert mine.number == 8 and len(waited) == 1


def test_of_two_that_follow_at_once_one_is_refused(tmp_path):
    class Overtaken(LocalStorage):
        def put_if_absent(self, key, data):
            LocalStorage(tmp_path).put(key, b"{}")
            return super().put_if_absent(key, data)

    with pytest.raises(Busy, match="has just begun"), hold(Overtaken(tmp_path), "x", "run"):
        pass


def test_a_killed_process_of_this_machine_is_followed_at_once(tmp_path):
    code = ("import os, sys\nfrom pipeline.storage.lease import hold\nfrom pipeline.storage import open_storage\n"
            "with hold(open_storage(sys.argv[1]), 'x', 'run'): os.kill(os.getpid(), 9)")
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == -9
    with hold(LocalStorage(tmp_path), "x", "run", sleep=never) as mine:
        assert mine.number == 2


def test_a_store_without_conditional_writes_is_refused(tmp_path):
    class Careless(LocalStorage):
        def put_if_absent(self, key, data):
            self.put(key, data)
            return True

    with pytest.raises(Unsafe, match="ignores conditional writes"), hold(Careless(tmp_path), "x", "run"):
        pass


def test_the_holder_renews_by_itself(tmp_path):
    storage = LocalStorage(tmp_path)
    with hold(storage, "x", "run", ttl_s=0.04):
        until = time.monotonic() + 60
        while "leases/x/000000001.beat" not in storage.list("leases/x") and time.monotonic() < until:
            time.sleep(0.005)
    assert int(storage.get("leases/x/000000001.beat")) >= 1
