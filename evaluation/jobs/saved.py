"""Finished jobs on disk, so that a killed evaluation goes on where it was: JSON and arrays, no pickles.

A job's folder is named by a digest of all that enters it; `result.json` is written last and makes it count.
"""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.results.files import Result
from evaluation.results.records import Row
from pipeline.core.atomic import write_bytes, write_json

RESULT, ARRAYS = "result.json", "arrays.npz"


def save_result(folder: Path, result: Result[Row]) -> None:
    """Commit a result into `folder`, beside the videos that are there already."""
    buffer = io.BytesIO()
    named: dict[str, Any] = {f"curve.{name}": value for name, value in result.curves.items()}
    np.savez(buffer, **named | {f"array.{name}": value for name, value in result.arrays.items()})
    write_bytes(folder / ARRAYS, buffer.getvalue())
    write_json(folder / RESULT, [asdict(row) for row in result.rows])


def has_result(folder: Path) -> bool:
    """Whether a result was committed into `folder`."""
    return (folder / RESULT).is_file()


def load_result(folder: Path, kind: type[Row]) -> Result[Row]:
    """A committed result, its rows of a `kind`; raises FileNotFoundError where there is none."""
    with np.load(folder / ARRAYS, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    rows = tuple(kind(**row) for row in json.loads((folder / RESULT).read_text()))
    return Result(rows, _below(arrays, "curve."), _below(arrays, "array."))


def fresh_folder(folder: Path) -> Path:
    """An empty folder for a job: what a killed worker left in it is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def remove_others(root: Path, keep: set[str]) -> None:
    """Drop folders of jobs that the present parameters and data do not ask for."""
    for path in sorted(root.iterdir()) if root.is_dir() else []:
        if path.is_dir() and path.name not in keep:
            shutil.rmtree(path)


def _below(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
