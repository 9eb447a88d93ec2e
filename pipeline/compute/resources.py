"""What a stage asks of Ray, out of params.yaml: processes and GPUs, waited for within a time limit.

An autoscaler brings nodes only for a request that is pending, so what the cluster has at this second says nothing: a
number is asked for and waited for. `auto` is for one machine, where what there is cannot change.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from pipeline.core.data_params import Ray

COUNTED = "PLAYMATE_COUNTED_GPUS"  # set: Ray's GPUs are numbers alone and the work is done on CPUs; for rehearsals
TOLD_EVERY_S = 30.0


class ResourcesMissing(RuntimeError):
    """The machine or cluster has not got what params.yaml asks for; the message says what to set."""


@dataclass(frozen=True)
class Ask:
    """Keys of one section of params.yaml."""

    section: str  # its name there; the keys stand in its `trainer`
    workers: int  # processes; 0: the stage's own, without Ray
    gpus: int | Literal["auto"]  # one for each worker, or 0; auto: those of this machine
    min_workers: int  # with fewer it does not go on


@dataclass(frozen=True)
class Request:
    """What Ray is asked for, for `section` of params.yaml: `workers` processes with these resources each."""

    section: str
    workers: int
    min_workers: int
    cpus_per_worker: float
    gpus_per_worker: float

    @property
    def bundle(self) -> dict[str, float]:
        """The resources of one process by Ray's names."""
        both = {"CPU": self.cpus_per_worker, "GPU": self.gpus_per_worker}
        return {name: amount for name, amount in both.items() if amount}


def machine_gpus() -> int:
    """GPUs that PyTorch sees on this machine; in a rehearsal on counted GPUs none."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def check_machine(ask: Ask) -> None:
    """Raises ResourcesMissing where this machine alone has fewer GPUs than are asked for: before Ray starts."""
    if ask.gpus != "auto" and ask.gpus > machine_gpus():
        raise ResourcesMissing(f"{ask.section}.trainer.gpus is {ask.gpus}, this machine has {_gpus(machine_gpus())}: "
                               f"{_advice(ask.section)}, or ray.address to a cluster that has them (docs/cluster.md)")


def own_device(ask: Ask) -> str:
    """`cuda` or `cpu` for work in the stage's own process; raises ResourcesMissing as `check_machine` does."""
    check_machine(ask)
    return "cuda" if ask.gpus and machine_gpus() else "cpu"


def uses_gpu(given: bool) -> bool:
    """Whether a process that Ray started computes on a GPU: where Ray gave it one.

    Raises ResourcesMissing where it was given one and PyTorch sees none: no silent run on a CPU.
    """
    import torch

    if not given or counted():
        return False
    if not torch.cuda.is_available():
        raise ResourcesMissing(f"Ray gave this process a GPU, and its PyTorch ({torch.__version__}) sees none: install "
                               "a PyTorch for CUDA and the driver on every node")
    return True


def counted() -> bool:
    """Whether Ray's GPUs are only counted."""
    return bool(os.environ.get(COUNTED))


def request_of(ask: Ask, section: Ray, ray: ModuleType) -> Request:
    """What to ask the started `ray` for. Of one machine never more than it has: `workers` is then the most."""
    there = ray.cluster_resources()
    gpus, cpus = int(there.get("GPU", 0)), int(there.get("CPU", 0))
    auto = ask.gpus == "auto"
    on_gpus = gpus > 0 if auto else ask.gpus > 0  # type: ignore[operator]
    workers = ask.workers
    if section.address is None and (auto or not on_gpus):
        workers = min(workers, max(1, gpus if on_gpus else cpus))
    return Request(ask.section, workers, min(ask.min_workers, workers), 0 if on_gpus else 1, 1 if on_gpus else 0)


def wait_for(ray: ModuleType, request: Request, limit_s: float, say: Callable[[str], None]) -> None:
    """Until Ray has room for `min_workers` of the request; says what is waited for, at once and every half minute.

    The request is pending meanwhile, so an autoscaler brings the nodes. Raises ResourcesMissing after `limit_s`.
    """
    from ray.util.placement_group import placement_group, remove_placement_group

    group = placement_group([request.bundle] * request.min_workers, strategy="PACK")
    began, wait_s = time.monotonic(), 2.0
    try:
        while not group.wait(wait_s):
            waited_s = time.monotonic() - began
            there = _shown(ray.cluster_resources())
            if waited_s >= limit_s:
                raise ResourcesMissing(
                    f"{request.section}: {_asked(request)} were not there within {limit_s:.0f} s; the cluster has "
                    f"{there}: {_advice(request.section)}, add nodes, or raise ray.max_wait_s")
            say(f"{request.section}: waiting for {_asked(request)}; the cluster has {there} now; {waited_s:.0f} s of "
                f"at most {limit_s:.0f} s (ray.max_wait_s)")
            wait_s = min(TOLD_EVERY_S, limit_s - waited_s)
    finally:
        remove_placement_group(group)


def _asked(request: Request) -> str:
    resources = " and ".join(f"{amount:g} {name}" for name, amount in request.bundle.items())
    return f"{request.min_workers} workers with {resources} each"


def _shown(there: Mapping[str, float]) -> str:
    return f"{_gpus(int(there.get('GPU', 0)))} and {int(there.get('CPU', 0))} CPU cores"


def _gpus(count: int) -> str:
    return "no GPU" if count == 0 else f"{count} GPU{'s' if count > 1 else ''}"


def _advice(section: str) -> str:
    return f"set gpus and workers of {section}.trainer to what there is (gpus: 0 computes on CPU cores)"
