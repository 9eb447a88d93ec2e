"""The MLflow model registry: versions with lineage, found again by what they hold.

A version is a pyfunc model "from code" (a file that its caller names): no pickle is written or read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.core import paths
from pipeline.tracking.client import (
    TrackingUnavailable,
    artifact_root,
    connect,
    experiment_id,
    load_mlflow,
    public_uri,
    tracking_uri,
)

EXPERIMENT = "registration"
PACKAGE = "playmate-pipeline"   # this project, as it is installed
DIGEST_TAG = "bundle_digest"
EVALUATION = "evaluation"  # folder of a version's artifacts
CACHE = paths.WORK / "registry"
ALIASES = ("champion", "candidate")


@dataclass(frozen=True)
class Artifacts:
    """Folders of a version by name ("bundle", "face_space"), and the packages that loading it needs, with versions."""

    folders: dict[str, Path]
    requirements: tuple[str, ...]


@dataclass(frozen=True)
class Candidate:
    """What is to be registered under `name`; `artifacts` are asked for where `digest` is not registered yet."""

    name: str
    digest: str
    artifacts: Callable[[], Artifacts]
    description: str
    tags: dict[str, str]
    code: Path               # the served model, as MLflow loads it
    packages: tuple[Path, ...]   # folders of code that it imports; the model takes a copy along
    signature: Any           # its mlflow.models.ModelSignature
    example: dict[str, Any]  # a request; bytes are kept as base64
    metrics: dict[str, float] = field(default_factory=dict)
    documents: tuple[Path, ...] = ()  # files that explain the run: parameters, the report
    evaluation: tuple[Path, ...] = ()  # per-clip rows, their protocol, films: what versions are compared by


@contextmanager
def reachable(root: Path = Path()) -> Iterator[Any]:
    """A client of the registry; what it raises inside becomes TrackingUnavailable, with the address."""
    from requests.exceptions import RequestException

    uri = tracking_uri(root)
    load_mlflow()
    from mlflow.exceptions import MlflowException

    try:
        yield connect(uri)
    except (MlflowException, RequestException, OSError) as error:
        if getattr(error, "error_code", "") in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise ValueError(f"the registry at {public_uri(uri)} says: {error}") from error
        raise TrackingUnavailable(f"the model registry at {public_uri(uri)} cannot be used ({type(error).__name__}: "
                                  f"{str(error)[:300]}); models and metrics are kept, run this again later") from error


def register(candidate: Candidate, root: Path = Path()) -> tuple[str, bool]:
    """Make a version of `candidate`, or find the one that holds the same digest -> (version, is new).

    Description and tags are those of `candidate` in both cases.
    """
    with reachable(root) as client:
        _ensure_model(client, candidate.name)
        version = _find(client, candidate.name, candidate.digest)
        new = version is None
        if version is None:
            version = _log(client, candidate, root)
        client.update_model_version(candidate.name, version, candidate.description)
        for name, value in {**candidate.tags, DIGEST_TAG: candidate.digest}.items():
            client.set_model_version_tag(candidate.name, version, name, value)
        run_id = client.get_model_version(candidate.name, version).run_id
        for path in candidate.evaluation:  # of an old version too: it may have been evaluated anew
            if path.is_dir():
                client.log_artifacts(run_id, str(path), f"{EVALUATION}/{path.name}")
            else:
                client.log_artifact(run_id, str(path), EVALUATION)
        return version, new


def set_alias(name: str, alias: str, version: str, root: Path = Path()) -> None:
    """Let `models:/<name>@<alias>` mean `version`."""
    with reachable(root) as client:
        client.set_registered_model_alias(name, alias, version)


def clear_alias(name: str, alias: str, version: str, root: Path = Path()) -> None:
    """Take `alias` away from `version`, where that version has it."""
    with reachable(root) as client:
        if alias in client.get_model_version(name, version).aliases:
            client.delete_registered_model_alias(name, alias)


def lineage(model: str, root: Path = Path()) -> dict[str, Any]:
    """What a registered version was made from: `models:/playmate@champion`, `models:/playmate/3`, or `playmate`.

    Raises ValueError for a model that is not registered, TrackingUnavailable.
    """
    with reachable(root) as client:
        found = _resolve(client, model)
        return {"model": found.name, "version": str(found.version), "aliases": sorted(found.aliases),
                "run_id": found.run_id, "made_from": dict(sorted(found.tags.items())),
                "description": found.description or ""}


def download(model: str, root: Path = Path()) -> Path:
    """Folder with the artifacts of a registered version (`bundle`, `face_space`), fetched once."""
    with reachable(root) as client:
        found = _resolve(client, model)
        digest = re.sub(r"[^0-9a-f]", "", found.tags.get(DIGEST_TAG, "")) or "unknown"
        target = (root / CACHE).resolve() / f"{_plain(found.name)}-{int(found.version)}-{digest[:12]}"
        if not (target / "done").exists():
            mlflow = load_mlflow()
            target.mkdir(parents=True, exist_ok=True)
            with _talk_to(mlflow, tracking_uri(root)):
                mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{found.name}/{found.version}",
                                                    dst_path=str(target))
            if not any(target.glob("artifacts/*/*")):
                raise TrackingUnavailable(f"{model}: its files are not where the registry at "
                                          f"{public_uri(tracking_uri(root))} says that they are")
            (target / "done").touch()
        return target / "artifacts"


def download_evaluation(model: str, root: Path = Path()) -> Path:
    """Folder with the evaluation of a registered version (clips.parquet, summary.json), fetched anew each time.

    Raises ValueError where the version has none.
    """
    with reachable(root) as client:
        found = _resolve(client, model)
        target = (root / CACHE).resolve() / f"{_plain(found.name)}-{int(found.version)}-{EVALUATION}"
        names = [item.path for item in client.list_artifacts(found.run_id, EVALUATION) if not item.is_dir]
        if not names:
            raise ValueError(f"{found.name} version {found.version} was registered without its evaluation: "
                             "`dvc repro register` adds it to the newest version")
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            client.download_artifacts(found.run_id, name, str(target))
        return target / EVALUATION


def _resolve(client, model: str):
    """The version that a `models:/` address or a bare name means (champion before candidate before the newest)."""
    match = re.fullmatch(r"(?:models:/)?([^/@:]+)(?:/(\d+)|@([\w-]+))?", model)
    if match is None:
        raise ValueError(f"{model!r} is no model: write models:/NAME@ALIAS, models:/NAME/VERSION or NAME")
    name, version, alias = match.groups()
    if version is not None:
        return client.get_model_version(name, version)
    registered = client.get_registered_model(name)
    for wanted in (alias,) if alias else ALIASES:
        if wanted in registered.aliases:
            return client.get_model_version(name, registered.aliases[wanted])
    versions = client.search_model_versions(f"name='{_plain(name)}'")
    if alias or not versions:
        known = ", ".join(sorted(registered.aliases)) or "none"
        raise ValueError(f"model {name} has no {f'alias {alias}' if alias else 'version'} (aliases: {known}); "
                         "`dvc repro register` makes them")
    return max(versions, key=lambda one: int(one.version))


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_. -]", "_", name)


def _ensure_model(client, name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _find(client, name: str, digest: str) -> str | None:
    for version in client.search_model_versions(f"name='{_plain(name)}'"):
        if version.tags.get(DIGEST_TAG) == digest and version.status == "READY":
            return str(version.version)
    return None


def _log(client, candidate: Candidate, root: Path) -> str:
    """Log one model in a run of its own and register it."""
    mlflow = load_mlflow()
    import pandas as pd

    uri = tracking_uri(root)
    experiment = experiment_id(client, EXPERIMENT, artifact_root(uri, root))
    with TemporaryDirectory() as scratch, _talk_to(mlflow, uri), mlflow.start_run(
            experiment_id=experiment, run_name=candidate.name, tags=candidate.tags):
        made = candidate.artifacts()
        info = mlflow.pyfunc.log_model(
            name=_plain(candidate.name), python_model=str(candidate.code), signature=candidate.signature,
            input_example=pd.DataFrame([candidate.example]),
            artifacts={name: str(folder) for name, folder in made.folders.items()},
            code_paths=[*map(str, candidate.packages), str(_write_metadata(Path(scratch)))],
            pip_requirements=list(made.requirements), model_config={"allowed_root": None, "credentials": True})
        mlflow.log_metrics(candidate.metrics)
        for document in candidate.documents:
            mlflow.log_artifact(str(document), "documents")
        made = client.create_model_version(candidate.name, info.model_uri, run_id=mlflow.active_run().info.run_id,
                                           model_id=info.model_id)
    return str(made.version)


def _write_metadata(scratch: Path) -> Path:
    """Metadata that tell the copied code its version, as an installed one has them."""
    found = metadata.version(PACKAGE)
    folder = scratch / f"{PACKAGE.replace('-', '_')}-{found}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {found}\n")
    return folder


@contextmanager
def _talk_to(mlflow, uri: str) -> Iterator[None]:
    """MLflow's functions (not its client) work on `uri`, which they keep in the environment: put that back."""
    names = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
    before = {name: os.environ.get(name) for name in names}
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(before["MLFLOW_REGISTRY_URI"] or uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(None)
        mlflow.set_registry_uri(None)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
