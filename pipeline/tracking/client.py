"""The connection to MLflow: a local SQLite store, or the server that $MLFLOW_TRACKING_URI names.

Importing MLflow takes seconds, so it happens inside these functions. Requests give up early: with MLflow's defaults
a dead server holds every call for four minutes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sqlite3
from functools import cache
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


def public_uri(uri: str) -> str:
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
    """A client of `uri`; the local store is made where it is missing. Raises TrackingUnavailable for a server of
    another major version than this client's."""
    mlflow = load_mlflow()
    if is_local(uri):
        database = Path(uri.removeprefix("sqlite:///"))
        database.parent.mkdir(parents=True, exist_ok=True)
        bring_home(database, database.with_name(paths.MLFLOW_ARTIFACTS.name).as_uri())
    elif uri.startswith("http"):
        _check_version(uri, mlflow.__version__)
    return mlflow.MlflowClient(tracking_uri=uri, registry_uri=os.environ.get("MLFLOW_REGISTRY_URI") or uri)


ADDRESSES = (("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location"),
             ("model_versions", "source"), ("model_versions", "storage_location"))   # MLflow 3 keeps absolute ones


def bring_home(database: Path, artifacts: str) -> None:
    """Where the project was copied or moved, artifacts lie beside its database: say so in it, or MLflow would write
    into the original's folder, or make the old one anew."""
    if not database.is_file():
        return
    name = f"/{paths.WORK.name}/{paths.MLFLOW_ARTIFACTS.name}"
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as store, store:
        tables = {row[0] for row in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table, column in ((table, column) for table, column in ADDRESSES if table in tables):
            for (address,) in store.execute(f"SELECT DISTINCT {column} FROM {table} WHERE {column} LIKE 'file://%'"  # noqa: S608
                                            ).fetchall():
                before, found, below = address.rpartition(name)
                if found and f"{before}{name}" != artifacts and below[:1] in ("", "/"):
                    store.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (artifacts + below, address))  # noqa: S608


@cache
def _check_version(uri: str, ours: str) -> None:
    """Raise TrackingUnavailable for a server of another major version; one that does not say is let pass."""
    import requests

    try:
        said = requests.get(f"{uri.rstrip('/')}/version", timeout=5)
    except requests.RequestException:
        return   # what is asked next says that it is away
    version = said.text.strip() if said.ok else ""
    if re.fullmatch(r"\d+\.\d+[\w.]*", version) and version.partition(".")[0] != ours.partition(".")[0]:
        raise TrackingUnavailable(f"the MLflow server at {public_uri(uri)} is version {version}, and this client, "
                                  f"{ours}, needs one of version {ours.partition('.')[0]}: upgrade the server, or "
                                  "unset MLFLOW_TRACKING_URI to record in the project folder")


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
