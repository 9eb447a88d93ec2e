"""What a training asks of Ray: against a Ray that is none, whose nodes come when the test says."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest
import yaml

from pipeline.compute import resources
from pipeline.compute.resources import Ask, Request, ResourcesMissing, check_machine, own_device, request_of, wait_for
from pipeline.core.config import ParamsError, parse_params
from pipeline.core.data_params import Ray
from tests.chosen import change

LOCAL = Ray(address=None, num_cpus=2, object_store_gb=0.1, spill_folder=None, dashboard=False, max_wait_s=100.0)
CLUSTER = LOCAL.model_copy(update={"address": "auto"})
CPU_NODE, GPU_NODE = {"CPU": 16.0}, {"CPU": 8.0, "GPU": 1.0}


class FakeRay:
    """A cluster with nodes that come at a time; the clock goes on only while somebody waits for a placement group."""

    def __init__(self, monkeypatch, *nodes: dict[str, float], late: tuple[tuple[float, dict[str, float]], ...] = ()):
        self.now, self.nodes, self.pending = 0.0, [(0.0, node) for node in nodes] + list(late), []
        groups = ModuleType("ray.util.placement_group")
        groups.placement_group, groups.remove_placement_group = self._ask, self.pending.remove
        for name in ("ray", "ray.util"):
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        monkeypatch.setitem(sys.modules, groups.__name__, groups)
        monkeypatch.setattr(resources, "time", SimpleNamespace(monotonic=lambda: self.now))

    def cluster_resources(self) -> dict[str, float]:
        there: dict[str, float] = {}
        for node in self._there():
            for name, amount in node.items():
                there[name] = there.get(name, 0.0) + amount
        return there

    def _there(self) -> list[dict[str, float]]:
        return [node for since, node in self.nodes if since <= self.now]

    def _ask(self, bundles: list[dict[str, float]], strategy: str) -> SimpleNamespace:
        group = SimpleNamespace(wait=lambda seconds: self._wait(bundles, seconds))
        self.pending.append(group)
        return group

    def _wait(self, bundles: list[dict[str, float]], seconds: float) -> bool:
        assert seconds > 0
        if not self._fits(bundles):
            self.now += seconds
        return self._fits(bundles)

    def _fits(self, bundles: list[dict[str, float]]) -> bool:
        left = [dict(node) for node in self._there()]
        for bundle in bundles:
            node = next((n for n in left if all(n.get(name, 0) >= amount for name, amount in bundle.items())), None)
            if node is None:
                return False
            for name, amount in bundle.items():
                node[name] -= amount
        return True


def asked(fake: FakeRay, gpus, workers: int = 4, section: Ray = CLUSTER) -> tuple[Request, list[str]]:
    """What is asked for, once it is there, and what was said meanwhile."""
    said: list[str] = []
    request = request_of(Ask("train_audio", workers, gpus, workers), section, fake)
    wait_for(fake, request, section.max_wait_s, said.append)
    assert not fake.pending  # Ray Train asks for the same itself
    return request, said


def test_gpus_that_are_there_are_asked_for_without_a_word(monkeypatch):
    request, said = asked(FakeRay(monkeypatch, *[GPU_NODE] * 4), 4)
    assert (request.workers, request.bundle, said) == (4, {"GPU": 1}, [])


@pytest.mark.parametrize("now", [[], [CPU_NODE, CPU_NODE]], ids=["empty head", "CPU nodes only"])
def test_gpus_that_come_late_are_waited_for_and_never_replaced_by_cores(monkeypatch, now):
    """An autoscaler brings them for the pending request; until then the head may have no core at all."""
    fake = FakeRay(monkeypatch, *now, late=((40.0, GPU_NODE), (70.0, GPU_NODE)))
    request, said = asked(fake, 2, workers=2)
    assert request.bundle == {"GPU": 1} and request.workers == 2 and 70 <= fake.now < 100
    cores = 16 * len(now)
    assert said[0] == (f"train_audio: waiting for 2 workers with 1 GPU each; the cluster has no GPU and {cores} CPU "
                       "cores now; 2 s of at most 100 s (ray.max_wait_s)")
    assert f"the cluster has 1 GPU and {cores + 8} CPU cores now" in said[-1]
    assert len(said) == 3


@pytest.mark.parametrize(("nodes", "gpus", "wanted", "there"), [
    ([], 4, "4 workers with 1 GPU each", "no GPU and 0 CPU cores"),
    ([CPU_NODE] * 3, 4, "4 workers with 1 GPU each", "no GPU and 48 CPU cores"),
    ([GPU_NODE] * 2, 4, "4 workers with 1 GPU each", "2 GPUs and 16 CPU cores"),
    ([], 0, "4 workers with 1 CPU each", "no GPU and 0 CPU cores"),
], ids=["empty head", "CPU nodes only", "too few GPU nodes", "empty head, cores asked for"])
def test_what_never_comes_ends_in_an_error_that_says_what_to_set(monkeypatch, nodes, gpus, wanted, there):
    fake = FakeRay(monkeypatch, *nodes)
    with pytest.raises(ResourcesMissing, match=(
            rf"train_audio: {wanted} were not there within 100 s; the cluster has {there}: set gpus and workers "
            r"of train_audio.trainer to what there is \(gpus: 0 computes on CPU cores\), add nodes, or raise "
            r"ray.max_wait_s")):
        asked(fake, gpus)
    assert fake.now == pytest.approx(100.0) and not fake.pending


def test_gpus_0_computes_on_cores_beside_gpus(monkeypatch):
    request, _ = asked(FakeRay(monkeypatch, GPU_NODE, CPU_NODE), 0)
    assert request.bundle == {"CPU": 1} and request.workers == 4


def test_enough_for_the_least_number_of_workers_is_enough(monkeypatch):
    fake = FakeRay(monkeypatch, GPU_NODE, GPU_NODE)
    request = request_of(Ask("train_audio", 4, 4, 2), CLUSTER, fake)
    wait_for(fake, request, 100.0, pytest.fail)
    assert (request.min_workers, request.workers) == (2, 4)


@pytest.mark.parametrize(("node", "gpus", "workers", "bundle"), [
    ({"CPU": 8.0, "GPU": 2.0}, "auto", 2, {"GPU": 1}), ({"CPU": 3.0}, "auto", 3, {"CPU": 1}),
    ({"CPU": 3.0}, 0, 3, {"CPU": 1}), ({"CPU": 8.0, "GPU": 2.0}, 0, 4, {"CPU": 1}),
    ({"CPU": 8.0, "GPU": 4.0}, 4, 4, {"GPU": 1})])
def test_one_machine_is_asked_for_no_more_than_it_has(monkeypatch, node, gpus, workers, bundle):
    request, said = asked(FakeRay(monkeypatch, node), gpus, section=LOCAL)
    assert (request.workers, request.bundle, said) == (workers, bundle, [])


def test_a_machine_without_the_gpus_asked_for_is_an_error_before_ray_starts(monkeypatch):
    monkeypatch.setattr(resources, "machine_gpus", lambda: 0)
    with pytest.raises(ResourcesMissing, match=r"train_audio.trainer.gpus is 4, this machine has no GPU: set gpus"):
        check_machine(Ask("train_audio", 4, 4, 4))
    with pytest.raises(ResourcesMissing, match=r"train_audio.trainer.gpus is 1, this machine has no GPU"):
        own_device(Ask("train_audio", 0, 1, 1))
    assert own_device(Ask("train_audio", 0, "auto", 1)) == "cpu"
    monkeypatch.setattr(resources, "machine_gpus", lambda: 1)
    assert own_device(Ask("train_audio", 0, "auto", 1)) == "cuda" and own_device(Ask("train_audio", 0, 0, 1)) == "cpu"


def test_a_gpu_that_pytorch_does_not_see_is_no_silent_run_on_a_cpu(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ResourcesMissing, match=r"Ray gave this process a GPU, and its PyTorch .* sees none"):
        resources.uses_gpu(True)
    monkeypatch.setenv(resources.COUNTED, "1")
    assert not resources.uses_gpu(True)


@pytest.mark.parametrize(("section", "changes", "message"), [
    ("ray", {"address": "auto"}, "train_audio.trainer.gpus auto is for one machine: on the cluster .* how many GPUs"),
    ("train_emotion", {"trainer": {"gpus": 3}}, "gpus 3 must be auto, 0, or one for each of 2 workers"),
    ("train_audio", {"trainer": {"gpus": -1}}, "train_audio.trainer.gpus")])
def test_params_say_what_does_not_fit(project, section, changes, message):
    values = yaml.safe_load((project / "params.yaml").read_text())
    change(values, {section: changes})
    with pytest.raises(ParamsError, match=message):
        parse_params(values)
