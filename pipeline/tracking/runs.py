"""Experiment tracking that is never on the critical path.

    with tracking.run("train_audio", "stage 1", params, tags, key=run_digest) as run:
        run.metrics({"loss": 0.3, "lr": 6e-4}, step=10)

Every value is written to a local file first (`.playmate/tracking/<run>/records.jsonl`); a background thread sends it
to MLflow. A server that is away costs nothing: the record is sent by the next run, or by `playmate tracking sync`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core import paths
from pipeline.tracking.client import TrackingUnavailable, artifact_root, connect, is_local, public_uri, tracking_uri
from pipeline.tracking.lineage import code_changes, environment, run_tags
from pipeline.tracking.machine_load import LOAD, SystemMonitor
from pipeline.tracking.sender import Sender
from pipeline.tracking.sender import sync as _sync
from pipeline.tracking.spool import Spool, find_spools, spool_name
from pipeline.tracking.values import flatten, metric_name, number, safe_key, texts

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)
SPOOLS = paths.WORK / "tracking"
CLOSE_LOCAL_S = 15.0   # the local store always answers, only slowly when two processes write
CLOSE_REMOTE_S = 0.8


class Run:
    """The record of one run. No method waits for a server or raises because of one."""

    def __init__(self, spool: Spool, sender: Sender):
        self._spool, self._sender, self._lock = spool, sender, threading.Lock()
        self._last_step = {name: record["step"] for record, _ in spool.records() if record["kind"] == "metrics"
                           for name in record["values"]}

    def metrics(self, values: dict[str, float], step: int) -> None:
        """Record numbers at `step`. A metric's step that is recorded already (before a resume) is not taken again."""
        with self._lock:
            new = {metric_name(name): number(value) for name, value in values.items()
                   if step > self._last_step.get(metric_name(name), -1)}
            self._last_step.update(dict.fromkeys(new, step))
        if new:
            self._append("metrics", values=new, step=int(step))

    def tags(self, tags: dict[str, Any]) -> None:
        """Record short texts; the last value of a name counts."""
        self._append("tags", tags=texts(tags))

    def artifact(self, path: Path, folder: str = "") -> None:
        """Record a file or folder as it is now, under `folder` of the run's artifacts."""
        with self._lock:
            kept = self._spool.keep_file(Path(path))
        self._append("artifact", file=kept, folder=folder)

    def text(self, name: str, text: str, folder: str = "") -> None:
        """Record `text` as the artifact `name` under `folder`."""
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / name
            path.write_text(text)
            self.artifact(path, folder)

    def dataset(self, name: str, digest: str, source: dict[str, str | None], context: str = "training") -> None:
        """Record the data that went in: a name, the digest of its manifest, and `source`: its `uri` and what else
        names this version of it."""
        told = {key: value for key, value in source.items() if value is not None}
        self._append("dataset", name=name, digest=digest[:36], source=json.dumps(told, sort_keys=True),
                     profile=json.dumps({"sha256": digest}), context=context)

    def next_step(self, name: str) -> int:
        """The step after the last one recorded of a metric."""
        return self._last_step.get(name, -1) + 1

    def _append(self, kind: str, **values: Any) -> None:
        with self._lock:  # the monitor and the thread that writes checkpoints record too
            self._spool.append(kind, time.time_ns() // 1_000_000, **values)
        self._sender.wake()


@contextmanager
def run(experiment: str, name: str, params: dict[str, Any], tags: dict[str, Any], key: str | None = None,
        root: Path | None = None) -> Iterator[Run]:
    """Track a run of `experiment`; nested `params` become dotted names.

    `key`: identity of the run; where a run of that key was interrupted, its record goes on. `root`: the project
    folder (default: the current one; give it in workers that run elsewhere). An exception inside marks the run
    FAILED and passes on.
    """
    root = (root or Path()).resolve()
    spool = _take_spool(root / SPOOLS, name, key)
    sender = Sender(spool, root)
    _append_start(spool, experiment, name, key or spool.folder.name, params, run_tags(root) | tags)
    tracked = Run(spool, sender)
    _describe(tracked, root)
    sender.start()
    sender.wake()
    monitor = SystemMonitor(tracked.metrics, tracked.next_step(LOAD))
    monitor.start()
    status = "FAILED"
    try:
        yield tracked
        status = "FINISHED"
    finally:
        monitor.stop()
        tracked._append("end", status=status)
        _close(spool, sender, root)


def sync(root: Path | None = None) -> int:
    """Send what could not be sent before; returns the number of records sent. Runs in progress send their own.

    Raises TrackingUnavailable where the server does not answer; everything not sent is kept.
    """
    root = (root or Path()).resolve()
    try:
        return _sync(root, root / SPOOLS)
    except Exception as error:  # any client or transport error means the same to the user
        raise TrackingUnavailable(
            f"MLflow at {public_uri(tracking_uri(root))} does not answer ({type(error).__name__}: "
            f"{_first_line(error)}); "
            f"{pending(root)} records are kept: run `playmate tracking sync` when it is back") from error


def serve(port: int, root: Path | None = None) -> None:
    """Show MLflow's page on 127.0.0.1 until it is stopped; raises ValueError where the server is somebody else's."""
    root = (root or Path()).resolve()
    uri = tracking_uri(root)
    if not is_local(uri):
        raise ValueError(f"MLFLOW_TRACKING_URI is {public_uri(uri)}: open that address in a browser")
    addresses = run_addresses(connect(uri), port)  # makes the store where it is missing
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
               "--backend-store-uri", uri, "--artifacts-destination", str(artifact_root(uri, root))]
    print("\n".join([f"MLflow on http://127.0.0.1:{port} (Ctrl-C ends it)", *addresses]), flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        subprocess.run(command, check=True)


def run_addresses(client: MlflowClient, port: int) -> list[str]:
    """A line for every experiment with the address of its runs: the page itself opens on its view of chat models."""
    return [f"  {one.name}: http://127.0.0.1:{port}/#/experiments/{one.experiment_id}/runs?workflowType=machine_learning"
            for one in client.search_experiments() if one.name != "Default"]


def pending(root: Path | None = None) -> int:
    """Number of records that no server has."""
    return sum(spool.pending() for spool in find_spools((root or Path()) / SPOOLS))


def _take_spool(folder: Path, name: str, key: str | None) -> Spool:
    """The record of `key` where it is free; a new one where another process works on it."""
    spool = Spool(folder / spool_name(name, key or uuid.uuid4().hex[:12]))
    if spool.take():
        return spool
    log.warning("tracking: another process records %s; this one gets a record of its own", spool.folder.name)
    return _take_spool(folder, name, uuid.uuid4().hex[:12])


def _append_start(spool: Spool, experiment: str, name: str, key: str, params: dict, tags: dict) -> None:
    """The first record opens the run; one that goes on notes its tags and parameters again."""
    spool.append("start", time.time_ns() // 1_000_000, experiment=experiment, name=name, key=safe_key(key),
                 params=texts(flatten(params)), tags=texts(tags))


def _describe(tracked: Run, root: Path) -> None:
    """What the run is computed with: machine, packages, and what differs from the committed code."""
    tracked.text("environment.json", json.dumps(environment(), indent=1), "environment")
    changes = code_changes(root)
    if changes:
        tracked.text("changes.diff", changes, "environment")


def _close(spool: Spool, sender: Sender, root: Path) -> None:
    sender.wake(closing=True)
    deadline = time.monotonic() + (CLOSE_LOCAL_S if is_local(tracking_uri(root)) else CLOSE_REMOTE_S)
    while time.monotonic() < deadline and not sender.done.is_set() and not sender.away.is_set():
        sender.done.wait(0.05)
    if not sender.done.is_set():
        log.warning("tracking: %d records are kept in %s; `playmate tracking sync` sends them", spool.pending(),
                    spool.folder)
    spool.release()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]
