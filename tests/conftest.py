"""Shared fixtures. Real media are used where they lie beside the checkout and skipped, with the reason, elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")

PROJECT = Path(__file__).resolve().parent.parent
SHARED = PROJECT.parent / "shared"


@pytest.fixture(scope="session")
def project() -> Path:
    """The project folder."""
    return PROJECT


@pytest.fixture(scope="session")
def media() -> Path:
    """Folder of real talking faces; skips where there is none."""
    folder = SHARED / "media"
    if not folder.is_dir():
        pytest.skip(f"no real media at {folder}")
    return folder


@pytest.fixture(scope="session")
def golden() -> Path:
    """Folder of golden vectors of the published networks; skips where there is none."""
    folder = SHARED / "golden"
    if not folder.is_dir():
        pytest.skip(f"no golden vectors at {folder}")
    return folder


@pytest.fixture(scope="session")
def ray_session():
    """One Ray for all tests that need one."""
    from pipeline.config import Ray
    from pipeline.ray_runtime import ray_session

    with ray_session(Ray(address=None, num_cpus=2, dashboard=False)):
        yield
