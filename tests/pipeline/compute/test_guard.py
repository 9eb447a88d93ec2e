"""Whatever happens in the child, the parent gets an answer or a reason, and the next task a good child."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.compute.guard import Failure, GuardedWorker

TARGET = "tests.stages.preprocess.hostile_target"


@pytest.fixture
def worker():
    with GuardedWorker(TARGET, {}, limit_s=60.0, memory_gb=1.0) as guarded:
        yield guarded


def test_one_child_does_many_tasks(worker):
    first, second = worker.run({"do": "a"}), worker.run({"do": "b"})
    assert first["pid"] == second["pid"] and (first["did"], second["did"]) == ("a", "b")


def test_printing_does_not_mix_with_answers(worker):
    assert worker.run({"do": "print"})["did"] == "print"


@pytest.mark.parametrize(("what", "words"), [("exit", "exit status 7"), ("segfault", "SIGSEGV")])
def test_a_crash_costs_one_task(worker, what, words):
    before = worker.run({"do": "a"})["pid"]
    failure = worker.run({"do": what})
    assert isinstance(failure, Failure) and failure.code == "crash" and words in failure.detail
    assert worker.run({"do": "a"})["pid"] != before


def test_a_task_whose_child_died_is_tried_once_more(worker, tmp_path):
    assert worker.run({"do": "exit once", "mark": str(tmp_path / "mark")})["did"] == "exit once"


def test_memory_is_bounded(worker):
    assert worker.run({"do": "eat"}) == Failure("out_of_memory", "needs more than 1 GB", 1.0)
    assert worker.run({"do": "a"})["did"] == "a"


def test_a_child_with_a_gpu_sees_that_one_and_has_no_bound_of_its_address_space():
    with GuardedWorker(TARGET, {}, limit_s=60.0, memory_gb=None, gpu="3") as guarded:
        assert guarded.run({"do": "look"}) == {"gpu": "3", "bound": resource.getrlimit(resource.RLIMIT_AS)[0]}


def test_a_hanging_task_is_killed_and_not_tried_again():
    with GuardedWorker(TARGET, {}, limit_s=0.5, memory_gb=1.0) as guarded:
        assert guarded.run({"do": "hang"}) == Failure("timeout", "no result within 0.5 s", 0.5)


@pytest.mark.slow
def test_a_hanging_child_does_not_outlive_a_parent_that_was_killed(project, tmp_path):
    mark = tmp_path / "mark"
    script = ("from pipeline.compute.guard import GuardedWorker\n"
              f"GuardedWorker({TARGET!r}, {{}}, 0.5, 1.0).run({{'do': 'hang in native code', 'mark': {str(mark)!r}}})")
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=project)
    while not (mark.exists() and mark.read_text()):
        assert parent.poll() is None
        time.sleep(0.01)
    parent.kill()
    parent.wait()
    child = int(mark.read_text())
    end = time.monotonic() + 30
    while _runs(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[-1].split()[0] != "Z"
    except OSError:
        return False


def test_our_own_error_is_no_verdict_on_the_clip(worker):
    answer = worker.run({"do": "raise"})
    assert answer["failed"] == "error" and "a bug of ours" in answer["detail"]


def test_a_child_that_cannot_start_says_why():
    with GuardedWorker(TARGET, {"start": "fails"}, 60.0, 1.0) as guarded, \
            pytest.raises(RuntimeError, match="weights are missing"):
        guarded.run({"do": "a"})
