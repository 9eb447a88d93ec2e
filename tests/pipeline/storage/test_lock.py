"""One writer at a time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pipeline.storage.lease import Busy, exclusive


def test_the_second_is_refused_and_told_who_the_first_is(tmp_path):
    path = tmp_path / "x" / "lock"
    with exclusive(path, "extraction"), pytest.raises(Busy, match=f"another extraction .*process {os.getpid()}"), \
            exclusive(path, "extraction"):
        pass
    with exclusive(path, "extraction"):
        pass


def test_a_killed_process_leaves_no_lock(tmp_path):
    path = tmp_path / "lock"
    code = ("import os, sys; from pathlib import Path; from pipeline.storage.lease import exclusive\n"
            "with exclusive(Path(sys.argv[1]), 'x'): os.kill(os.getpid(), 9)")
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == -9
    with exclusive(path, "x"):
        pass
