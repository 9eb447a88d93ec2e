"""An empty MLflow store for a test: its tables take seconds to make, so they are made once and copied."""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

from pipeline import paths
from pipeline.tracking_client import connect


def prepare_store(root: Path) -> None:
    """Put an empty store where the project folder `root` has its own."""
    target = root / paths.MLFLOW_DB
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(_template(), target)


@functools.cache
def _template() -> Path:
    path = Path(tempfile.mkdtemp(prefix="mlflow-template-")) / "mlflow.db"
    connect(f"sqlite:///{path}").search_experiments(max_results=1)
    return path
