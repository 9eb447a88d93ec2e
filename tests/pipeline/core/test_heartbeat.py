"""A stage's heartbeat, read while it runs, after it ended, failed or died."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from pipeline.core import heartbeat
from playmate import status


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".playmate" / "status"


def printed() -> str:
    out = io.StringIO()
    status.print_status(Console(file=out, width=200))
    return out.getvalue()


def test_progress_rate_and_time_left(monkeypatch):
    with heartbeat.stage("extract@mead"):
        now = heartbeat._current.began
        monkeypatch.setattr("time.time", lambda: now + 20)
        heartbeat.report(5, 25, "clips", rejected=1)
        (beat,) = heartbeat.read_all()
        assert (beat.stage, beat.state, beat.done, beat.total, beat.rejected) == ("extract@mead", "running", 5, 25, 1)
        assert (beat.rate_per_s, beat.left_s, beat.pid) == (0.25, 80.0, os.getpid())
    (beat,) = heartbeat.read_all()
    assert (beat.state, beat.done, beat.left_s) == ("done", 5, None)


def test_the_file_is_written_at_most_once_a_second(folder, monkeypatch):
    with heartbeat.stage("train"):
        now = heartbeat._current.began
        for tenth in range(1, 31):
            monkeypatch.setattr("time.time", lambda tenth=tenth: now + tenth / 10)
            heartbeat.report(tenth, 100, "steps")
            assert heartbeat.read_all()[0].done == tenth // 10 * 10


def test_a_failure_is_its_first_line():
    with pytest.raises(ValueError, match="one"), heartbeat.stage("split"):
        raise ValueError("one\ntwo")
    (beat,) = heartbeat.read_all()
    assert (beat.state, beat.detail) == ("failed", "one")


def test_a_killed_stage_has_died_with_its_progress():
    code = ("import os\nfrom pipeline.core import heartbeat\nwith heartbeat.stage('extract@mead'):\n"
            "    heartbeat.report(3, 3, 'clips')\n    os.kill(os.getpid(), 9)")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    (beat,) = heartbeat.read_all()
    assert (beat.state, beat.done) == ("died", 3)
    assert "died" in printed() and "dvc repro" in printed()


def test_a_second_run_that_is_refused_leaves_the_word_of_the_first():
    code = ("from pipeline.core import heartbeat\nwith heartbeat.stage('extract@mead'):\n"
            "    heartbeat.report(9, 9, 'clips')\n    raise SystemExit(3)")
    with heartbeat.stage("extract@mead"):
        heartbeat.report(3, 3, "clips")
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 3
        (beat,) = heartbeat.read_all()
        assert (beat.state, beat.done, beat.pid) == ("running", 3, os.getpid())
    subprocess.run([sys.executable, "-c", code], check=False)
    assert [(beat.state, beat.done) for beat in heartbeat.read_all()] == [("failed", 9)]


def test_another_process_of_the_same_number_is_not_the_stage():
    with heartbeat.stage("split"):
        beat = heartbeat._current
        heartbeat._write(replace(beat, pid_began=beat.pid_began - 100))
        assert heartbeat.read_all()[0].state == "died"
        heartbeat._write(replace(beat, host="elsewhere"))
        assert heartbeat.read_all()[0].state == "on another machine"


def test_outside_a_stage_and_on_a_full_disk_nothing_happens(folder, monkeypatch):
    heartbeat.report(1, 2, "clips")
    assert not folder.exists()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(heartbeat, "write_json", full)
    with heartbeat.stage("split"):
        heartbeat.report(2, 2, "clips")
    assert heartbeat.read_all() == []


def test_nothing_has_run_yet():
    assert "no stage has run here yet" in printed()


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (119, "119 s"), (180, "3 min"), (9000, "2.5 h")])
def test_spans(seconds, text):
    assert status.span(seconds) == text


def test_the_same_for_a_script(folder):
    with heartbeat.stage("extract@mead"):
        pass
    [beat] = json.loads(status.as_json())
    assert (beat["stage"], beat["state"]) == ("extract@mead", "done")
