"""Several Ray nodes on this machine, the processes that tests kill there, and drivers that work on them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import yaml

from tests.chosen import keep_corpora

PROJECT = Path(__file__).resolve().parents[2]
WAIT_S = 240.0
STORE_BYTES = 80 << 20
STARTS = 4
# a node that is gone is noticed in seconds, not in a minute
QUICK = {"RAY_health_check_period_ms": "1000", "RAY_health_check_failure_threshold": "8",
         "RAY_health_check_initial_delay_ms": "5000", "RAY_agent_register_timeout_ms": "300000",
         "RAY_worker_register_timeout_seconds": "300", "RAY_raylet_start_wait_time_s": "30",
         "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0",
         "RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_enable_metrics_collection": "0",
         "PYTHONPATH": str(PROJECT)}   # what goes to the nodes holds no tests


class Machines:
    """A head, which lives as long as the cluster, and worker nodes, which can be lost."""

    def __init__(self, cluster, head: dict, workers: list[dict]):
        self._cluster = cluster
        self._head = self._add(head)
        self._workers = [(self._add(node), node) for node in workers]

    @property
    def address(self) -> str:
        return self._cluster.address

    def _add(self, node: dict):
        for patience in range(STARTS, 0, -1):
            try:
                return self._cluster.add_node(wait=False, **_options(), **node)
            except Exception:  # Ray says no more: on a busy machine a raylet gives up waiting for its agents
                if patience == 1:
                    raise
        raise AssertionError("unreachable")

    def worker_processes(self) -> list[psutil.Process]:
        """Processes that run tasks or actors, on all nodes."""
        found = []
        for node in [self._head, *(node for node, _ in self._workers)]:
            raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
            found += [child for child in raylet.children() if _is_worker(" ".join(_command(child)))]
        return sorted(found, key=lambda process: process.pid)

    def lose_node(self, index: int = 0) -> None:
        """A worker node dies with all its processes; another one takes its place."""
        node, like = self._workers[index]
        self._cluster.remove_node(node, allow_graceful=False)
        self._workers[index] = (self._add(like), like)


def _options() -> dict:
    """Of each node. Ports are named, so that it need not wait for its agents to say theirs."""
    ports = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
    return {"object_store_memory": STORE_BYTES, "include_dashboard": False} | {name: _free_port() for name in ports}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def _is_worker(command: str) -> bool:
    """Not the raylet's own agents, without which the node is gone."""
    return command.startswith("ray::") and "Agent" not in command


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


@contextmanager
def machines(head: dict, *workers: dict) -> Iterator[Machines]:
    """Start a head and worker nodes with these resources; end them all."""
    before = {name: os.environ.get(name) for name in QUICK}
    os.environ.update(QUICK)
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        started = Machines(cluster, head, list(workers))
        cluster.wait_for_nodes(WAIT_S)
        yield started
    finally:
        cluster.shutdown()
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def write_params(folder: Path, address: str | None, **extract) -> Path:
    """params.yaml's values for a small job on the cluster at `address`, as JSON."""
    values = yaml.safe_load((PROJECT / "params.yaml").read_text())
    keep_corpora(values, "avspeech")
    values["ray"] |= {"address": address}
    for stage in ("train_audio", "train_emotion"):
        values[stage]["trainer"]["gpus"] = 0
    values["extract"] |= {"batch_clips": 2, "shards": 2, "max_clip_s": 30.0, "actors": 2} | extract
    path = folder / "params.json"
    path.write_text(json.dumps(values))
    return path


def start(module: str, *arguments: str | Path, folder: Path) -> subprocess.Popen:
    """`python -m module` in `folder`, with our code."""
    log = (folder / "driver.log").open("ab")
    return subprocess.Popen([sys.executable, "-m", module, *map(str, arguments)], cwd=folder, stdout=log, stderr=log,
                            env=os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"})


def finish(process: subprocess.Popen, folder: Path) -> None:
    """Wait for a driver; its log is the message where it failed."""
    try:
        code = process.wait(WAIT_S)
    finally:
        process.kill()
    assert code == 0, (folder / "driver.log").read_text()[-6000:]


def wait_until(condition: Callable[[], bool], process: subprocess.Popen) -> bool:
    """Whether the condition came true before the process ended."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if process.poll() is not None:
            return False
        assert time.monotonic() < deadline, "nothing happens"
        time.sleep(0.02)
    return True


def kill(pid: int) -> None:
    """SIGKILL, where the process is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
