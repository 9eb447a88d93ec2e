"""`playmate sweep train_audio.lr=1e-4,3e-4,1e-3`: DVC's queue of experiments, filled and worked off by one command.

The same by hand: `dvc exp run --queue -S train_audio.lr=1e-4,3e-4,1e-3 train_audio`, then `dvc exp run --run-all`
(with `--copy-paths dvc.lock` where git does not track it).
Experiments run in copies of the project and record into the project's own MLflow store (`pipeline.core.paths.WORK`).
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from pipeline.core.config import ParamsError
from pipeline.tracking.lineage import code_revision

METRICS = ("loss_last", "validation_r")


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
    keys = [change.partition("=")[0] for change in changes]
    chosen = "|".join([*(key.replace(".", r"\.") for key in keys), *METRICS])
    shown = _dvc("exp", "show", "--csv", "--drop", ".*", "--keep", rf"(Experiment|State|(.*:)?({chosen}))$", read=True)
    print(table(shown, keys), flush=True)


def table(text: str, keys: Sequence[str]) -> str:
    """DVC's CSV of experiments in aligned columns: name, the `keys` that were swept, metrics, state.

    DVC's own table cuts off what a terminal has no room for, the swept keys first.
    """
    import pandas

    rows = pandas.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    rows = rows[rows["Experiment"] != ""]  # without the workspace and the commit that they started from
    first, last = ["Experiment", *keys], ["State"]
    metrics = [name for name in rows.columns if name not in (*first, *last)]
    shown = rows[[*first, *metrics, *last]].rename(columns={name: _short(name) for name in metrics})
    return shown.to_string(index=False)


def _short(column: str) -> str:
    """`data/models/audio/metrics.json:loss_last` -> `audio loss_last`."""
    file, _, metric = column.rpartition(":")
    return f"{PurePosixPath(file).parent.name} {metric}".strip()


def _dvc(*arguments: str, read: bool = False) -> str:
    """Run `dvc`; what it says, where that is to be read and not shown."""
    done = subprocess.run([Path(sys.executable).with_name("dvc"), *arguments], check=True, text=True,
                          stdout=subprocess.PIPE if read else None)
    return done.stdout or ""
