"""The start of Ray: tried again where the machine is too busy for it, in words where there is no cluster."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import psutil
import pytest

from pipeline.compute import ray_session as ray_runtime
from pipeline.compute.ray_session import RayError
from pipeline.core.data_params import Ray
from pipeline.core.fingerprint import PACKAGES, ROOT

LOCAL = Ray(address=None, num_cpus=2, object_store_gb=0.1, spill_folder=None, dashboard=False, max_wait_s=60.0)


class SlowRay(SimpleNamespace):
    """Raises `error` at the first `failures` starts; each start leaves a process."""

    def init(self, **options):
        self.tried.append(options)
        self.left.append(subprocess.Popen(["sleep", "600"]))
        if len(self.tried) <= self.failures:
            raise self.error
        return SimpleNamespace(dashboard_url=None)


@pytest.fixture(autouse=True)
def no_process_stays():
    yield
    for process in psutil.Process().children():
        if process.name() == "sleep":
            process.kill()


def slow(failures: int, error: Exception) -> SlowRay:
    return SlowRay(failures=failures, error=error, tried=[], left=[])


TOO_SLOW = Exception("The current node timed out during startup. This could happen because ...")


def test_a_busy_machine_gets_more_time():
    ray = slow(2, TOO_SLOW)
    ray_runtime._start(ray, LOCAL)
    assert len(ray.tried) == 3
    assert [process.wait() for process in ray.left[:2]] == [-9, -9]  # what the failed tries had started
    assert ray.left[2].poll() is None
    assert ray.tried[0]["address"] == "local" and ray.tried[0] == ray.tried[2]


def test_a_machine_that_is_too_busy_for_ever_is_said_so():
    ray = slow(99, TOO_SLOW)
    with pytest.raises(RayError, match="did not start in 4 tries"):
        ray_runtime._start(ray, LOCAL)
    assert len(ray.tried) == ray_runtime.STARTS


def test_another_error_of_ray_is_its_own():
    ray = slow(99, Exception("no space left in the temporary folder"))
    with pytest.raises(Exception, match="no space left"):
        ray_runtime._start(ray, LOCAL)
    assert len(ray.tried) == 1


def test_a_cluster_that_does_not_answer_is_named():
    with pytest.raises(RayError, match=r"no Ray cluster answers at ray.address 'host:6379'"):
        ray_runtime._start(slow(99, ConnectionError("nobody")), LOCAL.model_copy(update={"address": "host:6379"}))


def test_only_packages_of_the_project_folder_are_sent_to_the_nodes(tmp_path):
    for name in ("pipeline", "data", "my_corpora", ".venv"):
        (tmp_path / name).mkdir()
    (tmp_path / "pipeline/__init__.py").touch()
    (tmp_path / "mlflow.db").touch()
    assert ray_runtime.not_code(tmp_path) == ["/.venv", "/data", "/mlflow.db", "/my_corpora", "__pycache__"]
    assert not {f"/{name}" for name in PACKAGES} & set(ray_runtime.not_code(ROOT))


def test_where_runs_are_tracked_goes_to_the_nodes_and_no_password_does(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://tracking.example")
    assert ray_runtime.runtime_env()["env_vars"]["MLFLOW_TRACKING_URI"] == "https://tracking.example"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@tracking.example")
    with pytest.raises(RayError, match="MLFLOW_TRACKING_PASSWORD on the nodes") as raised:
        ray_runtime.runtime_env()
    assert "secret" not in str(raised.value)


def test_a_client_address_is_refused():
    with pytest.raises(RayError, match="Ray Client address"):
        ray_runtime._start(slow(0, TOO_SLOW), LOCAL.model_copy(update={"address": "ray://head:10001"}))


def test_a_long_temporary_folder_is_not_given_to_ray(monkeypatch, tmp_path):
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setattr(ray_runtime.tempfile, "gettempdir", lambda: "/tmp")
    assert ray_runtime._short_temporary() == {}
    monkeypatch.setattr(ray_runtime.tempfile, "gettempdir", lambda: f"/scratch/{'x' * 60}")
    [(option, folder)] = ray_runtime._short_temporary().items()
    assert option == "_temp_dir" and len(folder) <= ray_runtime.LONGEST_TEMPORARY
    monkeypatch.setattr(ray_runtime.os, "makedirs", lambda *_, **__: (_ for _ in ()).throw(OSError))
    with pytest.raises(RayError, match="too long for Ray's sockets: set RAY_TMPDIR to a folder of at most 30"):
        ray_runtime._short_temporary()
