"""The start of Ray: tried again where the machine is too busy for it, in words where there is no cluster."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pipeline import ray_runtime
from pipeline.config import Ray
from pipeline.ray_runtime import RayError

LOCAL = Ray(address=None, num_cpus=2, object_store_gb=0.1, spill_folder=None, dashboard=False)


class SlowRay(SimpleNamespace):
    """Raises `error` at the first `failures` starts."""

    def init(self, **options):
        self.tried.append(options)
        if len(self.tried) <= self.failures:
            raise self.error
        return SimpleNamespace(dashboard_url=None)

    def shutdown(self):
        self.ended.append(len(self.tried))


def slow(failures: int, error: Exception) -> SlowRay:
    return SlowRay(failures=failures, error=error, tried=[], ended=[])


TOO_SLOW = Exception("The current node timed out during startup. This could happen because ...")


def test_a_busy_machine_gets_more_time():
    ray = slow(2, TOO_SLOW)
    ray_runtime._start(ray, LOCAL)
    assert len(ray.tried) == 3 and ray.ended == [1, 2]
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
