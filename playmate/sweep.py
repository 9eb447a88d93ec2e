"""`playmate sweep train_audio.lr=1e-4,3e-4,1e-3`: DVC's queue of experiments, filled and worked off by one command.

The same by hand: `dvc exp run --queue -S train_audio.lr=1e-4,3e-4,1e-3 train_audio`, then `dvc exp run --run-all`
(with `--copy-paths dvc.lock` where git does not track it).
Experiments run in copies of the project and record into the project's own MLflow store (`pipeline.core.paths.WORK`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pipeline.core.config import ParamsError
from pipeline.tracking.lineage import code_revision


def run_sweep(changes: list[str], stage: str) -> None:
    """Queue every combination of `changes`, run them, print the table; raises ValueError for what cannot be queued."""
    for change in changes:
        if not change.partition("=")[2]:
            raise ParamsError(f"{change!r}: write KEY=VALUE,VALUE such as train_audio.lr=1e-4,3e-4,1e-3")
    if code_revision() is None:
        raise ValueError("experiments need a git repository with a commit: `git init && git add . && git commit`")
    settings = [part for change in changes for part in ("-S", change)]
    if Path("dvc.lock").is_file():  # git may not know it, and without it an experiment would start from raw data
        settings += ["--copy-paths", "dvc.lock"]
    _dvc("exp", "run", "--queue", *settings, stage)
    _dvc("exp", "run", "--run-all")
    keys = "|".join(change.partition("=")[0].replace(".", r"\.") for change in changes)
    shown = rf"(Experiment|State|(.*:)?({keys}|loss_last|validation_r))$"
    _dvc("exp", "show", "--no-pager", "--drop", ".*", "--keep", shown)


def _dvc(*arguments: str) -> None:
    wide = {**os.environ, "COLUMNS": "160"}  # or DVC leaves columns out where it is not a terminal that shows them
    subprocess.run([Path(sys.executable).with_name("dvc"), *arguments], check=True, env=wide)
