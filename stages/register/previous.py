"""The evaluation of the model that was registered last, kept beside MLflow: opening that for it takes half a minute."""

from __future__ import annotations

import shutil
from pathlib import Path

from evaluation.results.files import CLIPS, SUMMARY
from pipeline.core import paths
from pipeline.core.atomic import write_bytes

KEPT = paths.WORK / "registered"


def keep_evaluation(name: str, version: str, evaluation: Path = paths.EVALUATION, root: Path = KEPT) -> None:
    """Copy rows and summary of `evaluation`, where it has them, as this version's; other versions' are dropped."""
    folder = root / f"{name}-{version}"
    for file in (CLIPS, SUMMARY):
        if (evaluation / file).is_file():
            write_bytes(folder / file, (evaluation / file).read_bytes())
    for other in root.iterdir() if root.is_dir() else ():
        if other != folder:
            shutil.rmtree(other)


def kept_evaluation(name: str, version: str, root: Path = KEPT) -> Path | None:
    """The folder of this version's evaluation; None where another version, or none, is kept."""
    folder = root / f"{name}-{version}"
    return folder if (folder / SUMMARY).is_file() else None
