"""Every task gets its answer, from as many workers as were asked for; deaths and errors are what the docstring says."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from pipeline.compute.resources import Actors
from pipeline.compute.work import WorkerDied, run
from pipeline.core.config import load_params
from tests.pipeline.compute.work_target import Squarer, broken


def workers(count: int) -> Actors:
    return Actors("evaluate", count)


def test_no_task_starts_nothing():
    assert list(run([], broken, workers(2))) == []


def test_processes_keep_their_worker(tmp_path):
    done = dict(run(range(6), partial(Squarer, tmp_path), workers(2)))
    assert {task: answer for task, (_, answer) in done.items()} == {task: task**2 for task in range(6)}
    pids = {pid for pid, _ in done.values()}
    assert len(pids) <= 2 and os.getpid() not in pids and len((tmp_path / "made").read_text()) == len(pids)


def test_an_error_of_a_worker_or_of_making_it_is_raised(tmp_path):
    with pytest.raises(ValueError, match="no number"):
        list(run(["raise"], partial(Squarer, tmp_path), workers(1)))
    with pytest.raises(FileNotFoundError, match="weights are missing"):
        list(run([1], broken, workers(1)))


def test_a_killed_process_ends_the_run_with_words_and_what_was_done_is_kept(tmp_path):
    done = []
    with pytest.raises(WorkerDied, match="what is finished is kept"):
        done.extend(run([3, "die"], partial(Squarer, tmp_path), workers(1)))
    done = [task for task, _ in _until_death(run([3, "die"], partial(Squarer, tmp_path), workers(1)))]
    assert done == [3]


def _until_death(answers):
    try:
        yield from answers
    except WorkerDied:
        return


def test_threads_have_a_worker_each_that_is_closed(tmp_path):
    done = dict(run(range(8), partial(Squarer, tmp_path), workers(3), threads=True))
    assert {answer for _, answer in done.values()} == {task**2 for task in range(8)}
    assert {pid for pid, _ in done.values()} == {os.getpid()}
    made, closed = ((tmp_path / name).read_text() for name in ("made", "closed"))
    assert 1 <= len(made) <= 3 and closed == made


def test_threads_are_closed_where_a_worker_raises_or_the_consumer_stops(tmp_path):
    with pytest.raises(ValueError, match="no number"):
        list(run([1, "raise"], partial(Squarer, tmp_path), workers(1), threads=True))
    answers = run(range(8), partial(Squarer, tmp_path), workers(1), threads=True)
    next(answers)
    answers.close()
    assert (tmp_path / "closed").read_text() == (tmp_path / "made").read_text() == ".."


@pytest.mark.slow
def test_processes_end_with_a_parent_that_was_killed(project, tmp_path):
    script = ("from functools import partial\nfrom pathlib import Path\nfrom pipeline.compute.resources import Actors\n"
              "from pipeline.compute.work import run\n"
              "from tests.pipeline.compute.work_target import Squarer\n"
              f"if __name__ == '__main__': list(run(['hang'], partial(Squarer, Path({str(tmp_path)!r})), "
              "Actors('', 1)))\n")
    (tmp_path / "parent.py").write_text(script)
    parent = subprocess.Popen([sys.executable, str(tmp_path / "parent.py")], cwd=project,
                              env={**os.environ, "PYTHONPATH": str(project)})
    mark, end = tmp_path / "hangs", time.monotonic() + 60
    while not (mark.exists() and mark.read_text()):
        assert parent.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    while Path(f"/proc/{mark.read_text()}").exists():
        assert time.monotonic() < end, "the worker outlived its parent"
        time.sleep(0.02)


@pytest.mark.ray
@pytest.mark.slow
def test_on_ray_an_actor_that_dies_costs_a_try_of_its_task(project, tmp_path, ray_session):
    section = load_params(project / "params.yaml").ray
    done = dict(run([1, 2, "die once", 3], partial(Squarer, tmp_path), workers(2), section))
    assert [done[task][1] for task in (1, 2, 3, "die once")] == [1, 4, 9, 0] and (tmp_path / "died").exists()
    with pytest.raises(WorkerDied, match="died 4 times on one task"):
        list(run(["die"], partial(Squarer, tmp_path), workers(1), section))
    with pytest.raises(ValueError, match="no number"):
        list(run([1, "raise"], partial(Squarer, tmp_path), workers(2), section))
