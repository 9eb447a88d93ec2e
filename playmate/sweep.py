"""`playmate sweep train_audio.lr=1e-4,3e-4,1e-3`: DVC's queue of experiments, filled and worked off by one command.

The same by hand: `dvc exp run --queue -S train_audio.lr=1e-4,3e-4,1e-3 train_audio`, then `dvc exp run --run-all`
(with `--copy-paths dvc.lock` where git does not track it).
Experiments run in copies of the project and record into the project's own MLflow store (`pipeline.core.paths.WORK`).
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import yaml

from pipeline.core.config import ParamsError

METRICS = ("loss_last", "validation_r")


class SweepFailed(OSError):
    """DVC could not queue or run the experiments."""


def run_sweep(changes: list[str], stage: str) -> None:
    """Queue every combination of `changes`, run them, print the table; raises ValueError for what cannot be queued."""
    for change in changes:
        if not change.partition("=")[2]:
            raise ParamsError(f"{change!r}: write KEY=VALUE,VALUE such as train_audio.lr=1e-4,3e-4,1e-3")
    _check_keys([change.partition("=")[0] for change in changes])
    _check_git()
    settings = [part for change in changes for part in ("-S", change)]
    if Path("dvc.lock").is_file():  # git may not know it, and without it an experiment would start from raw data
        settings += ["--copy-paths", "dvc.lock"]
    _dvc("exp", "run", "--queue", *settings, stage)
    _dvc("exp", "run", "--run-all")
    keys = [change.partition("=")[0] for change in changes]
    chosen = "|".join([*(key.replace(".", r"\.") for key in keys), *METRICS])
    shown = _dvc("exp", "show", "--csv", "--drop", ".*", "--keep", rf"(Experiment|State|(.*:)?({chosen}))$", read=True)
    print(table(shown, keys), flush=True)


def _check_git() -> None:
    """Raise ValueError in git's own words where there is no commit that an experiment could start from."""
    said = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False,
                          env={**os.environ, "LC_ALL": "C"})
    if said.returncode:
        lacking = "not a git repository" in said.stderr or "unknown revision" in said.stderr
        advice = ": `git init && git add . && git commit`" if lacking else f"; git says: {said.stderr.strip()}"
        raise ValueError(f"experiments need a git repository with a commit{advice}")


def _check_keys(keys: list[str]) -> None:
    """Raise ParamsError for a key that params.yaml does not have, with those that stand beside it."""
    values = yaml.safe_load(Path("params.yaml").read_text())
    for key in (key for key in keys if key[:1] not in "+~" and ":" not in key):   # DVC checks its own forms
        here, path = values, ""
        for part in key.split("."):
            if not isinstance(here, dict) or part not in here:
                known = ", ".join(map(str, here)) if isinstance(here, dict) else "nothing below it"
                raise ParamsError(f"params.yaml has no {key}; {path.removesuffix('.') or 'it'} has {known}")
            here, path = here[part], f"{path}{part}."


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
    done = subprocess.run([Path(sys.executable).with_name("dvc"), *arguments], check=False, text=True,
                          stdout=subprocess.PIPE if read else None)
    if done.returncode:
        raise SweepFailed(f"`dvc {' '.join(arguments[:3])}` ended with exit code {done.returncode}; it said why")
    return done.stdout or ""
