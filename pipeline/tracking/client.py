"""The connection to MLflow: a local SQLite store, or the server that $MLFLOW_TRACKING_URI names.

Importing MLflow takes seconds, so it happens inside these functions. Requests give up early: with MLflow's defaults
a dead server holds every call for four minutes.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.core import paths

if TYPE_CHECKING:
    from mlflow import MlflowClient

_FORCED = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
           "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
_DEFAULTS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
             "MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "600",
             "GIT_PYTHON_REFRESH": "quiet"}


class TrackingUnavailable(RuntimeError):
    """The MLflow server or its registry cannot be reached; says which and what to do."""


def tracking_uri(root: Path = Path()) -> str:
    """$MLFLOW_TRACKING_URI, else the project's own SQLite file under `root`."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(root / paths.MLFLOW_DB).resolve()}"


def shown(uri: str) -> str:
    """`uri` without user name and password."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if "@" in parts.netloc else uri


def is_local(uri: str) -> bool:
    return uri.startswith("sqlite:")


def artifact_root(uri: str, root: Path = Path()) -> str | None:
    """Where a new experiment of the local store puts artifacts; None: the server decides."""
    return (root / paths.MLFLOW_ARTIFACTS).resolve().as_uri() if is_local(uri) else None


def load_mlflow():
    """Import MLflow with short timeouts, without telemetry, without pickle; returns the module."""
    os.environ.update(_FORCED)
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    import mlflow

    for name in ("alembic", "mlflow", "mlflow.store.db.utils", "mlflow.tracking", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return mlflow


def connect(uri: str) -> MlflowClient:
    """A client of `uri`; the local store is made where it is missing."""
    mlflow = load_mlflow()
    if is_local(uri):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return mlflow.MlflowClient(tracking_uri=uri, registry_uri=os.environ.get("MLFLOW_REGISTRY_URI") or uri)


def experiment_id(client: MlflowClient, name: str, artifacts: str | None) -> str:
    """Id of experiment `name`, made where it is missing (also when another process makes it just now)."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    try:
        return client.create_experiment(name, artifact_location=artifacts)
    except MlflowException:
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return found.experiment_id
