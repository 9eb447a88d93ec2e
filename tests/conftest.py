"""Shared fixtures. Real media are used where they lie beside the checkout and skipped, with the reason, elsewhere."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# the networks of tests are so small that threads cost more than they give, many times more on a busy machine
os.environ.setdefault("OMP_NUM_THREADS", "1")
# what libraries keep between runs stays out of the project and out of the home folder
CACHES = f"{tempfile.gettempdir()}/playmate-tests-{os.getuid()}"
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", f"{CACHES}/hypothesis")
os.environ.setdefault("MPLCONFIGDIR", f"{CACHES}/matplotlib")

PROJECT = Path(__file__).resolve().parent.parent
SHARED = PROJECT.parent / "shared"


def pytest_configure() -> None:
    """No property test fails because the machine is slow, none keeps examples."""
    from hypothesis import HealthCheck, settings

    settings.register_profile("project", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("project")


@pytest.fixture(scope="session")
def project() -> Path:
    """The project folder."""
    return PROJECT


def _beside(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}")
    return folder


@pytest.fixture(scope="session")
def media() -> Path:
    """Folder of real talking faces; skips where there is none."""
    return _beside("media")


@pytest.fixture(scope="session")
def golden() -> Path:
    """Folder of golden vectors of the published networks; skips where there is none."""
    return _beside("golden")


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """A portrait [400, 400, 3] that comes with scikit-image."""
    return np.ascontiguousarray(pytest.importorskip("skimage.data").astronaut()[:400, 20:420])


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory) -> Path:
    """An MLflow database that holds tables and nothing else, to copy: making them takes seconds."""
    from pipeline.tracking.client import connect

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    connect(f"sqlite:///{path}").search_experiments(max_results=1)
    return path


@pytest.fixture(scope="session")
def ray_session():
    """One Ray for all tests that need one: a Ray that a stage asks for inside is this one."""
    from pipeline.compute.ray_session import ray_session
    from pipeline.core.data_params import Ray

    with ray_session(Ray(address=None, num_cpus=2, object_store_gb=0.25, spill_folder=None, dashboard=False,
                         max_wait_s=60.0)):
        yield


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    """A real S3 server (tests/s3_server.py) for the session; skips where its binary is not installed."""
    from tests.s3_server import running

    with running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3_bucket(s3_server, monkeypatch) -> str:
    """The name of a new bucket on it; boto3 finds the server through the standard AWS variables."""
    from uuid import uuid4

    from tests.s3_server import make_bucket

    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    return make_bucket(f"test-{uuid4().hex[:12]}")


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory, project) -> Path:
    """A copy of the project's tracked files with toy parameters, run once; end-to-end tests share it."""
    from tests.toy_project import TOY, copy_project, run

    folder = copy_project(project, tmp_path_factory.mktemp("toy"), TOY)
    run(folder, "dvc", "repro")
    return folder
