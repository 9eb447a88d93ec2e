"""Load of the machine while a run goes on, recorded as MLflow's own system metrics (`system/...`)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)
EVERY_S = 10.0
PREFIX = "system/"
LOAD = f"{PREFIX}cpu_utilization_percentage"  # measured everywhere: its last step is that of all


class SystemMonitor(threading.Thread):
    """Measures every ten seconds with MLflow's monitors (processor, memory, disk, network, NVIDIA GPUs).

    MLflow's own `SystemMetricsMonitor` asks the server after every sample and ends where it does not answer; here the
    record is a file first.
    """

    def __init__(self, record: Callable[[dict[str, float], int], None], first_step: int, every_s: float = EVERY_S):
        """`record(values, step)` is called from `first_step` on."""
        super().__init__(name="system metrics", daemon=True)
        self._record, self._step, self._every_s, self._stopped = record, first_step, every_s, threading.Event()

    def stop(self) -> None:
        """Measure no more; an import that is under way is not waited for."""
        self._stopped.set()
        if self.is_alive():
            self.join(0.5)

    def run(self) -> None:
        if self._stopped.wait(self._every_s):  # a short run is not worth the import
            return
        try:
            monitors = _monitors()
            while not self._stopped.is_set():
                values = _measure(monitors)
                if not self._stopped.is_set():
                    self._record(values, self._step)
                self._step += 1
                self._stopped.wait(self._every_s)
        except Exception:  # whatever a monitor meets on this machine, the run goes on
            log.warning("tracking: the machine's load is not recorded any more", exc_info=True)


def _monitors() -> list[Any]:
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    monitors = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
    try:
        monitors.append(GPUMonitor())
    except (ImportError, RuntimeError):  # no NVIDIA library, or no such GPU
        log.info("tracking: no NVIDIA GPU to measure")
    return monitors


def _measure(monitors: list[Any]) -> dict[str, float]:
    values: dict[str, float] = {}
    for monitor in monitors:
        monitor.collect_metrics()
        values |= monitor.aggregate_metrics()
        monitor.clear_metrics()
    return {f"{PREFIX}{name}": float(value) for name, value in values.items()}
