"""The start of Ray: tried again where the machine is too busy for it, in words where there is no cluster."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import psutil
import pytest

from pipeline.compute import ray_session as ray_runtime
from pipeline.compute.ray_session import RayError
from pipeline.core.config import Ray

LOCAL = Ray(address=None, num_cpus=2, object_store_gb=0.1, spill_folder=None, dashboard=False)


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


def test_a_client_address_is_refused():
    with pytest.raises(RayError, match="Ray Client address"):
        ray_runtime._start(slow(0, TOO_SLOW), LOCAL.model_copy(update={"address": "ray://head:10001"}))
