"""`make setup`: which interpreter it takes, and the line that it gives another one."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(("version", "fit"), [("3.10.13", False), ("3.11.1", False), ("3.11.2", True), ("3.12.1", True),
                                              ("3.13.0", False)])
def test_the_makefile_takes_311_from_debian_12_on_and_312(version: str, fit: bool):
    line = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("FIT := "))
    numbers = tuple(int(part) for part in version.split("."))
    code = line.removeprefix("FIT := ").removeprefix("import sys; ").replace("sys.version_info", "numbers")
    stopped = SystemExit()
    try:
        exec(code, {"numbers": numbers, "sys": __import__("sys")})  # the line as it stands
    except SystemExit as error:
        stopped = error
    assert (not stopped.code) is fit


@pytest.mark.skipif(not shutil.which("make"), reason="no make")
def test_another_interpreter_gets_one_line_that_says_which_are_fit(tmp_path: Path):
    old = tmp_path / "python3.10"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.10.13" && exit 0\nexit 1\n')
    old.chmod(0o755)
    done = subprocess.run(["make", "--no-print-directory", "setup", f"VENV={tmp_path / 'venv'}", f"PYTHON={old}"],
                          cwd=ROOT, capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if not line.startswith(("make:", "make["))]
    assert done.returncode != 0 and len(said) == 1 and not (tmp_path / "venv").exists()
    assert "3.11" in said[0] and "3.12" in said[0] and "Python 3.10.13" in said[0]


def test_the_makefile_and_pyproject_agree():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"] == ">=3.11.2,<3.13"
