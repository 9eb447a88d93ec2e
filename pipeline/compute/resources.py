"""What a stage asks of Ray, out of params.yaml: processes and GPUs, waited for within a time limit.

An autoscaler brings nodes only for a request that is pending, so what the cluster has at this second says nothing: a
number is asked for and waited for. `auto` is for one machine, where what there is cannot change.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from pipeline.compute.device import ResourcesMissing, gpus_are_counted, machine_gpus, which_device
from pipeline.core.data_params import Ray

TOLD_EVERY_S = 30.0


@dataclass(frozen=True)
class Ask:
    """A training: keys of one section of params.yaml."""

    section: str  # its name there; the keys stand in its `trainer`
    workers: int  # processes; 0: the stage's own, without Ray
    gpus: int | Literal["auto"]  # one for each worker, or 0; auto: those of this machine
    min_workers: int  # with fewer it does not go on


@dataclass(frozen=True)
class Actors:
    """Processes that work independently of each other: keys of one section of params.yaml."""

    section: str  # its name there
    workers: int  # at most
    gpus_per_actor: float = 0.0  # the share of a GPU that each has; 0: a CPU core each


@dataclass(frozen=True)
class Request:
    """What Ray is asked for, for `section` of params.yaml: `workers` processes with these resources each."""

    section: str
    workers: int
    min_workers: int  # without so many it does not begin
    cpus_per_worker: float
    gpus_per_worker: float
    advice: str  # what to set where they do not come, before other words
    feeders: int = 0  # processes beside them, a core each, without which they have nothing to do

    @property
    def bundle(self) -> dict[str, float]:
        """The resources of one process by Ray's names."""
        both = {"CPU": self.cpus_per_worker, "GPU": self.gpus_per_worker}
        return {name: amount for name, amount in both.items() if amount}


def check_machine(ask: Ask) -> None:
    """Raises ResourcesMissing where this machine alone has fewer GPUs than are asked for: before Ray starts."""
    if ask.gpus != "auto" and ask.gpus > machine_gpus():
        raise ResourcesMissing(f"{ask.section}.trainer.gpus is {ask.gpus}, this machine has {_gpus(machine_gpus())}: "
                               f"{_advice(ask.section)}, or ray.address to a cluster that has them (docs/cluster.md)")


def own_device(ask: Ask) -> str:
    """`cuda` or `cpu` for work in the stage's own process; raises ResourcesMissing as `check_machine` does."""
    check_machine(ask)
    return which_device() if ask.gpus else "cpu"


def check_share(actors: Actors) -> None:
    """Raises ResourcesMissing where actors want a GPU and this machine alone has none: before anything is started."""
    if actors.gpus_per_actor and not machine_gpus() and not gpus_are_counted():
        raise ResourcesMissing(f"{actors.section}.gpus_per_actor is {actors.gpus_per_actor:g}, this machine has no "
                               f"GPU: {_advice_of_actors(actors)}, or ray.address to a cluster that has them "
                               "(docs/cluster.md)")


def actors_request(actors: Actors, ray: ModuleType, section: Ray, feeders: int = 0) -> Request:
    """What the started `ray` is asked for: one place is enough to begin, more are taken as they come.

    Raises ResourcesMissing where this machine's Ray has no GPU, which nobody will bring.
    """
    share = actors.gpus_per_actor
    if share and section.address is None and ray.cluster_resources().get("GPU", 0) < share:
        raise ResourcesMissing(f"{actors.section}.gpus_per_actor is {share:g}, this machine's Ray has no GPU: "
                               f"{_advice_of_actors(actors)}")
    return Request(actors.section, actors.workers, 1, 0 if share else 1, share,
                   f"{_advice_of_actors(actors)}, " if share else "", feeders)


def places(request: Request, ray: ModuleType) -> int:
    """Processes of the request that the nodes that are there now could hold."""
    there = ray.cluster_resources()
    return min(int(there.get(name, 0) / amount + 1e-9) for name, amount in request.bundle.items())


def request_of(ask: Ask, section: Ray, ray: ModuleType) -> Request:
    """What to ask the started `ray` for. Of one machine never more than it has: `workers` is then the most."""
    there = ray.cluster_resources()
    gpus, cpus = int(there.get("GPU", 0)), int(there.get("CPU", 0))
    auto = ask.gpus == "auto"
    on_gpus = gpus > 0 if auto else ask.gpus > 0  # type: ignore[operator]
    workers = ask.workers
    if section.address is None and (auto or not on_gpus):
        workers = min(workers, max(1, gpus if on_gpus else cpus))
    return Request(ask.section, workers, min(ask.min_workers, workers), 0 if on_gpus else 1, 1 if on_gpus else 0,
                   f"{_advice(ask.section)}, ")


def wait_for(ray: ModuleType, request: Request, limit_s: float, say: Callable[[str], None]) -> None:
    """Until Ray has room for `min_workers` of the request; says what is waited for, at once and every half minute.

    The request is pending meanwhile, so an autoscaler brings the nodes. Raises ResourcesMissing after `limit_s`.
    """
    from ray.util.placement_group import placement_group, remove_placement_group

    bundles = [request.bundle] * request.min_workers + [{"CPU": 1.0}] * request.feeders
    group = placement_group(bundles, strategy="PACK")
    began, wait_s = time.monotonic(), 2.0
    try:
        while not group.wait(wait_s):
            waited_s = time.monotonic() - began
            there = _there_in_words(ray.cluster_resources())
            if waited_s >= limit_s:
                raise ResourcesMissing(
                    f"{request.section}: {_in_words(request)} were not there within {limit_s:.0f} s; the cluster has "
                    f"{there}: {request.advice}add nodes, or raise ray.max_wait_s")
            say(f"{request.section}: waiting for {_in_words(request)}; the cluster has {there} now; {waited_s:.0f} s "
                f"of at most {limit_s:.0f} s (ray.max_wait_s)")
            wait_s = min(TOLD_EVERY_S, limit_s - waited_s)
    finally:
        remove_placement_group(group)


def _in_words(request: Request) -> str:
    resources = " and ".join(f"{amount:g} {name}" for name, amount in request.bundle.items())
    several = request.min_workers > 1
    cores = f", and {request.feeders} CPU beside" if request.feeders else ""
    return f"{request.min_workers} worker{'s' if several else ''} with {resources}{' each' if several else ''}{cores}"


def _there_in_words(there: Mapping[str, float]) -> str:
    return f"{_gpus(int(there.get('GPU', 0)))} and {int(there.get('CPU', 0))} CPU cores"


def _gpus(count: int) -> str:
    return "no GPU" if count == 0 else f"{count} GPU{'s' if count > 1 else ''}"


def _advice(section: str) -> str:
    return f"set gpus and workers of {section}.trainer to what there is (gpus: 0 computes on CPU cores)"


def _advice_of_actors(actors: Actors) -> str:
    return f"set {actors.section}.gpus_per_actor to 0, which computes on CPU cores"
