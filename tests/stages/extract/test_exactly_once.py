"""Killed at every commit point, a full disk at every write, SIGKILL at random: the store ends byte for byte the same.

The commit points are the system calls that make or remove a name (link, replace, unlink). `Killed` there stands for
the end of the process: nothing of it, no `finally` either, changes the disk any more.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from feature_store.reader import FeatureStore
from feature_store.verify import verify
from pipeline.storage import lease
from stages.extract import stage as extract
from tests.stages.extract import made

pytestmark = pytest.mark.processes

CORPUS, KINDS = "avspeech", ["good", "faceless", "good"]
FEATURES, STORE = Path("data/features") / CORPUS, Path(".playmate/store")
CALLS = ("link", "replace", "unlink")


class Killed(BaseException):
    """Not an Exception: nothing may catch it."""


class Commits:
    """Counts link, replace and unlink; call number `at` does not happen, and none after it."""

    def __init__(self, monkeypatch):
        self.count, self.at = 0, None
        for name in CALLS:
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, call):
        def counted(*arguments, **options):
            if self.at is not None and self.count >= self.at:
                raise Killed
            self.count += 1
            return call(*arguments, **options)

        return counted

    def run(self, at: int | None) -> int:
        """Extract; return how many commit points were passed. With `at` the process ends there."""
        self.count, self.at = 0, at
        try:
            extract.main(CORPUS, lambda _: None)
        finally:
            self.at = None
        return self.count


def snapshot() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(FEATURES.iterdir())}


def fresh() -> None:
    for folder in (FEATURES, Path(".playmate")):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def golden(computed, monkeypatch) -> dict[str, bytes]:
    """The files of an undisturbed run; this very process stands for one that was killed."""
    monkeypatch.setattr(lease, "_dead_here", lambda _: True)
    made.write_corpus(CORPUS, KINDS)
    extract.main(CORPUS, lambda _: None)
    files = snapshot()
    assert len(files) >= 3 and verify(FEATURES) == []
    fresh()
    computed.clear()
    return files


def test_killed_at_every_commit_point(golden, computed, monkeypatch):
    commits = Commits(monkeypatch)
    total = commits.run(None)
    assert total > 25 and snapshot() == golden
    undisturbed = len(computed)
    for at in range(total):
        fresh()
        computed.clear()
        with pytest.raises(Killed):
            commits.run(at)
        manifest = FEATURES / "manifest.json"
        assert not manifest.exists() or snapshot() == golden
        if at % 2:  # as DVC does before it runs a stage again
            shutil.rmtree(FEATURES, ignore_errors=True)
        commits.run(None)
        assert snapshot() == golden, f"killed before commit point {at} of {total}"
        assert len(computed) <= undisturbed + 2, "more than the clip in hand (two families) was repeated"


def test_killed_while_a_clip_is_added(golden, computed, monkeypatch):
    """The old features stay readable until the new manifest is there."""
    commits = Commits(monkeypatch)
    commits.run(None)
    before = {path: path.read_bytes() for root in (FEATURES, STORE) for path in root.rglob("*") if path.is_file()}
    made.write_corpus(CORPUS, [*KINDS, "good"])
    total = commits.run(None)
    whole = snapshot()
    for at in range(0, total, 3):
        for folder in (FEATURES, Path(".playmate")):
            shutil.rmtree(folder)
        for path, data in before.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        with pytest.raises(Killed):
            commits.run(at)
        assert len(FeatureStore([FEATURES]).clips()) in (2, 3)
        commits.run(None)
        assert snapshot() == whole, f"killed before commit point {at} of {total}"


def test_a_full_disk_at_every_write_stops_clearly_and_resumes(golden, computed, monkeypatch):
    real, calls = os.fsync, {"count": 0, "full_from": None}

    def fsync(file) -> None:
        calls["count"] += 1
        if calls["full_from"] is not None and calls["count"] > calls["full_from"]:
            raise OSError(28, "No space left on device")
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    extract.main(CORPUS, lambda _: None)
    total = calls["count"]
    assert total > 12
    for at in range(total):
        fresh()
        calls |= {"count": 0, "full_from": at}
        with pytest.raises(OSError, match="No space left on device"):
            extract.main(CORPUS, lambda _: None)
        assert not (FEATURES / "manifest.json").exists() or snapshot() == golden
        assert len(list(STORE.rglob("*.reject.json"))) <= 1  # the clip without a face; no good clip is blamed
        calls["full_from"] = None
        extract.main(CORPUS, lambda _: None)
        assert snapshot() == golden, f"full at write {at} of {total}"


def kill_trials(golden: dict[str, bytes], seed: int, count: int) -> int:
    """SIGKILL of a real process at random moments until `count` were hit before they ended; how many were."""
    moments, hit, tries = random.Random(seed), 0, 0
    began = time.monotonic()
    pid = _forked()
    os.waitpid(pid, 0)
    takes = time.monotonic() - began
    while hit < count and tries < 4 * count:
        tries += 1
        fresh()
        pid = _forked()
        time.sleep(moments.uniform(0, takes))
        os.kill(pid, signal.SIGKILL)
        hit += os.WIFSIGNALED(os.waitpid(pid, 0)[1])
        extract.main(CORPUS, lambda _: None)
        assert snapshot() == golden and verify(FEATURES) == []
    return hit


def _forked() -> int:
    pid = os.fork()
    if pid == 0:
        try:
            extract.main(CORPUS, lambda _: None)
        finally:
            os._exit(0)
    return pid


def test_killed_for_real_at_random_moments(golden):
    assert kill_trials(golden, seed=1, count=5) >= 1


@pytest.mark.nightly
def test_killed_for_real_fifty_times(golden):
    assert kill_trials(golden, seed=2, count=50) >= 25
