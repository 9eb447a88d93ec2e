"""A Ray that is none, whose nodes come when the test says."""

from __future__ import annotations

import sys
from functools import partial
from types import ModuleType, SimpleNamespace

from pipeline.compute import resources
from pipeline.core.data_params import Ray

LOCAL = Ray(address=None, num_cpus=2, object_store_gb=0.1, spill_folder=None, dashboard=False, max_wait_s=100.0)
CLUSTER = LOCAL.model_copy(update={"address": "auto"})
CPU_NODE, GPU_NODE = {"CPU": 16.0}, {"CPU": 8.0, "GPU": 1.0}


class FakeRay:
    """A cluster with nodes that come at a time; the clock goes on only while somebody waits for a placement group.

    Actors run here, one call after the other; `options` has what each kind of them asked for.
    """

    exceptions = SimpleNamespace(RayActorError=ConnectionError)

    def __init__(self, monkeypatch, *nodes: dict[str, float], late: tuple[tuple[float, dict[str, float]], ...] = ()):
        self.now, self.nodes, self.pending = 0.0, [(0.0, node) for node in nodes] + list(late), []
        self.options: list[dict] = []
        self.started = 0
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

    def remote(self, **options):
        """Ray's decorator of a class."""
        self.options.append(options)
        return lambda kind: SimpleNamespace(remote=lambda *given: self._actor(kind(*given)))

    def _actor(self, actor) -> SimpleNamespace:
        self.started += 1
        def later(call):
            return SimpleNamespace(remote=lambda *given: partial(call, *given))

        return SimpleNamespace(ready=later(actor.ready), __call__=later(actor.__call__))

    def put(self, value):
        return value

    def wait(self, pending: list, num_returns: int) -> tuple[list, list]:
        return pending[:num_returns], pending[num_returns:]

    def get(self, answer):
        return answer()
