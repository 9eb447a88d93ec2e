"""The files of `data/evaluation`, written while results are read one after another."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.results import files as results
from evaluation.results.files import Result

CURVES = ("reference", "generated", "wrong_speech")
COLUMNS = ("clip_id", "frame", *CURVES)


class CurveFiles:
    """Mouth curves of all clips, and those of the first one alone for `dvc plots`."""

    def __init__(self, folder: Path):
        self._folder, self._first = folder, None
        self._file = results.CsvWriter(folder / results.CURVES, COLUMNS)

    def add(self, result: Result) -> None:
        rows = list(curve_rows(result))
        self._file.add(rows)
        if self._first is None:
            self._first = rows

    def close(self) -> None:
        self._file.close()
        results.write_csv(self._folder / results.FIRST_CURVE, self._first or [], COLUMNS)


def curve_rows(result: Result) -> Iterable[dict[str, Any]]:
    """A row per frame; a frame without a face has an empty cell."""
    for frame in range(result.row["frames"]):
        values = {name: float(result.curves[name][frame]) for name in CURVES if name in result.curves}
        yield {"clip_id": result.row["clip_id"], "frame": frame,
               **{name: None if np.isnan(value) else value for name, value in values.items()}}


def copy_videos(source: Path, folder: Path) -> None:
    """Copy a finished job's videos."""
    folder.mkdir(parents=True, exist_ok=True)
    for video in sorted(source.glob("*.mp4")):
        shutil.copyfile(video, folder / video.name)
