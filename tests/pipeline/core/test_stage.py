"""A stage ends with its parent, and our own errors are one line."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil

CHILD = """
import os, time
from pipeline.core.stage import die_with_parent
die_with_parent(os.getppid())
print("up", flush=True)
time.sleep(60)
"""
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}])
print(child.pid, flush=True)
child.wait()
"""
FAILS = """
from pipeline.core.config import ParamsError
from pipeline.core.stage import run_as_stage
def main(): raise {}
run_as_stage(main)
"""


def test_a_stage_is_killed_with_its_parent(project):
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=project, stdout=subprocess.PIPE, text=True)
    lines = sorted([parent.stdout.readline().strip(), parent.stdout.readline().strip()])
    child = psutil.Process(int(lines[0]))
    assert lines[1] == "up" and child.is_running()
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 60
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def run(error: str, folder) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", FAILS.format(error)], cwd=folder, capture_output=True, text=True,
                          check=False)


def test_our_own_errors_are_one_line(tmp_path):
    done = run("ParamsError('seed: missing')", tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr and "seed: missing" in done.stderr


def test_other_errors_show_where_they_came_from(tmp_path):
    done = run("KeyError('x')", tmp_path)
    assert done.returncode == 1 and "Traceback" in done.stderr


def test_a_stage_that_is_ended_leaves_nothing_half_written(tmp_path):
    code = ("import time\nfrom pathlib import Path\nfrom pipeline.core.atomic import atomic_path\n"
            "from pipeline.core.stage import run_as_stage\n"
            "def main():\n    with atomic_path(Path('out/a.txt')) as half:\n        half.write_text('half')\n"
            "        print('up', flush=True)\n        time.sleep(60)\nrun_as_stage(main)\n")
    for number, ending in ((signal.SIGTERM, ""), (signal.SIGINT, "interrupted; `dvc repro` goes on from here")):
        stage = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True,
                                 # a shell's background, where these tests may run, ignores Ctrl-C
                                 preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # noqa: PLW1509
        assert stage.stdout.readline() == "up\n"
        stage.send_signal(number)
        said = stage.communicate(timeout=30)[1]
        assert stage.returncode == 128 + number and ending in said and "Traceback" not in said
        assert not list((tmp_path / "out").iterdir())
