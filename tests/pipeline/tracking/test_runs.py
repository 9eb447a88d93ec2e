"""Tracking: the local record, a server that is away, and the MLflow store at the end."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from pipeline.core import paths
from pipeline.tracking import runs as tracking
from pipeline.tracking.client import TrackingUnavailable, connect, public_uri, tracking_uri
from pipeline.tracking.deliver import _batches
from pipeline.tracking.spool import Sent, Spool, find_spools, spool_name

pytestmark = pytest.mark.processes


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def store(tmp_path, empty_mlflow):
    """The project folder of a test, with an empty store."""
    (tmp_path / paths.MLFLOW_DB).parent.mkdir(parents=True)
    shutil.copy(empty_mlflow, tmp_path / paths.MLFLOW_DB)
    return tmp_path


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_senders() -> None:
    """A run does not wait for the thread that sends its record; what the thread still holds, nobody else sends."""
    for thread in threading.enumerate():
        if thread.name == "tracking":
            thread.join(60)


def metric_points(root: Path, name: str) -> list[tuple[int, float]]:
    client = connect(tracking_uri(root))
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()])
    assert len(runs) == 1
    return sorted((point.step, point.value) for point in client.get_metric_history(runs[0].info.run_id, name))


def test_records_survive_a_torn_last_line(tmp_path):
    spool = Spool(tmp_path / "run")
    assert spool.take()
    spool.append("metrics", 1, values={"loss": 1.0}, step=0)
    spool.release()
    with spool.records_path.open("a") as file:
        file.write('{"kind": "metr')  # a process that was killed in the middle of a write
    assert len(list(spool.records())) == 1
    again = Spool(tmp_path / "run")
    again.take()
    again.append("metrics", 2, values={"loss": 0.5}, step=1)
    assert [record["step"] for record, _ in again.records()] == [0, 1]


def test_only_one_process_appends(tmp_path):
    first, second = Spool(tmp_path / "run"), Spool(tmp_path / "run")
    assert first.take()
    assert not second.take()
    first.release()
    assert second.take()


def test_pending_counts_from_what_was_sent(tmp_path):
    spool = Spool(tmp_path / "run")
    spool.take()
    for step in range(3):
        spool.append("metrics", 1, values={"loss": 1.0}, step=step)
    offsets = [offset for _, offset in spool.records()]
    spool.save_sent(Sent("uri", "id", offsets[1]))
    assert spool.pending() == 1
    assert next(spool.records(offsets[1]))[0]["step"] == 2


def test_batches_join_metrics_and_keep_order():
    metrics = [({"kind": "metrics", "values": {f"m{i}": 0.0 for i in range(200)}, "step": s}, s) for s in range(3)]
    rows = [({"kind": "start"}, 10), *metrics, ({"kind": "end"}, 20)]
    assert [(batch[0]["kind"], len(batch), end) for batch, end in _batches(rows)] == [
        ("start", 1, 10), ("metrics", 2, 1), ("metrics", 1, 2), ("end", 1, 20)]


def test_names_from_outside_stay_inside_the_folder():
    assert spool_name("../../etc", "a/b") == "_etc-a_b"
    assert public_uri("https://user:secret@host:5000/x") == "https://host:5000/x"


def test_nested_parameters_become_dotted_names():
    assert tracking.flatten({"model": {"dim": 8, "conv": {"kernel": 3}}, "seed": 1}) == {
        "model.dim": 8, "model.conv.kernel": 3, "seed": 1}


def test_a_dead_server_loses_nothing_and_sync_sends_later(store, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port()}")
    note = tmp_path / "note.txt"
    note.write_text("curve")
    with tracking.run("e", "dead", {"lr": 0.1}, {"who": "test"}, key="k1", root=tmp_path) as run:
        for step in range(20):
            run.metrics({"loss": 1.0 / (step + 1), "odd": float("nan")}, step)
        run.artifact(note, "plots")
        note.write_text("changed afterwards")
        run.dataset("features", "a" * 64, {"uri": "data/features/manifest.json", "dvc": "b.dir"})
    assert tracking.pending(tmp_path) == 25  # start, environment, 20 metrics, artifact, dataset, end
    with pytest.raises(TrackingUnavailable, match="25 records are kept"):
        tracking.sync(tmp_path)
    wait_for_senders()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking.sync(tmp_path) == 25
    assert tracking.sync(tmp_path) == 0
    assert metric_points(tmp_path, "loss") == [(step, 1.0 / (step + 1)) for step in range(20)]
    assert len(metric_points(tmp_path, "odd")) == 20
    found = list((tmp_path / ".playmate" / "mlartifacts").rglob("note.txt"))
    assert [path.read_text() for path in found] == ["curve"]


@pytest.mark.parametrize("status", [None, 500])
def test_a_server_that_is_slow_or_broken_holds_nothing_up(store, tmp_path, monkeypatch, status):
    """No answer comes before all is recorded: a run that waited for one would never end."""
    recorded = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            recorded.wait(60)
            self.send_response(status or 503)
            self.end_headers()

        do_GET = do_POST = answer

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if status is not None:
        recorded.set()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
    with tracking.run("e", "slow", {"lr": 0.1}, {}, key="k", root=tmp_path) as run:
        for step in range(50):
            run.metrics({"loss": float(step)}, step)
    recorded.set()
    wait_for_senders()
    server.shutdown()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking.sync(tmp_path) == 53
    assert metric_points(tmp_path, "loss") == [(step, float(step)) for step in range(50)]


def test_a_server_that_never_answers_costs_a_run_less_than_a_second(tmp_path, monkeypatch):
    """What the run does between its start and its end, and its end. The quickest of a few: others use this machine."""
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        lost_s = []
        while len(lost_s) < 5 and min(lost_s, default=1.0) >= 1.0:
            with tracking.run("e", "silent", {"lr": 0.1}, {}, root=tmp_path) as run:
                began = time.monotonic()
                for step in range(50):
                    run.metrics({"loss": float(step)}, step)
            lost_s.append(time.monotonic() - began)
    wait_for_senders()
    assert min(lost_s) < 1.0
    assert tracking.pending(tmp_path) == 53 * len(lost_s)


def test_what_a_run_was_made_with_is_found_again(store, tmp_path, monkeypatch):
    """Environment, data with its versions, load of the machine."""
    import mlflow

    monkeypatch.setattr(tracking.SystemMonitor.__init__, "__defaults__", (0.01,))
    with tracking.run("e", "made", {}, {}, root=tmp_path) as run:
        run.dataset("mead", "c" * 64, {"uri": "data/features/mead/manifest.json", "dvc": "d.dir", "gone": None})
        for _ in range(600):
            if run.next_step("system/cpu_utilization_percentage") > 1:
                break
            time.sleep(0.1)
    tracking.sync(tmp_path)
    client = connect(tracking_uri(tmp_path))
    [found] = client.search_runs([client.get_experiment_by_name("e").experiment_id])
    [used] = found.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("mead", "c" * 36)
    assert json.loads(used.dataset.source) == {"uri": "data/features/mead/manifest.json", "dvc": "d.dir"}
    assert json.loads(used.dataset.profile) == {"sha256": "c" * 64}
    assert mlflow.data.get_source(used).to_dict() == {"uri": "data/features/mead/manifest.json"}
    assert found.data.metrics["system/system_memory_usage_megabytes"] > 0
    [text] = (tmp_path / ".playmate" / "mlartifacts").rglob("environment.json")
    assert json.loads(text.read_text())["packages"]["torch"]


def test_a_resumed_run_goes_on_without_doubles(store, tmp_path):
    """Steps 0..4, an exception, then a resume from a checkpoint at step 3: one run, every step once."""
    with pytest.raises(RuntimeError), tracking.run("e", "stage 1", {"lr": 0.1}, {}, key="k", root=tmp_path) as run:
        for step in range(5):
            run.metrics({"loss": float(step)}, step)
        raise RuntimeError("killed")
    with tracking.run("e", "stage 1", {"lr": 0.1}, {}, key="k", root=tmp_path) as run:
        for step in range(3, 8):
            run.metrics({"loss": float(step)}, step)
    tracking.sync(tmp_path)
    assert metric_points(tmp_path, "loss") == [(step, float(step)) for step in range(8)]
    client = connect(tracking_uri(tmp_path))
    [found] = client.search_runs([client.get_experiment_by_name("e").experiment_id])
    assert found.info.status == "FINISHED"
    assert found.data.params == {"lr": "0.1"}


def test_sending_twice_is_sending_once(store, tmp_path):
    with tracking.run("e", "twice", {}, {}, key="k", root=tmp_path) as run:
        run.metrics({"loss": 2.0}, 0)
    [spool] = find_spools(tmp_path / tracking.SPOOLS)
    tracking.sync(tmp_path)
    spool.save_sent(Sent())  # the note of what was sent is lost with the process
    tracking.sync(tmp_path)
    assert metric_points(tmp_path, "loss") == [(0, 2.0)]
    client = connect(tracking_uri(tmp_path))
    number = client.get_experiment_by_name("e").experiment_id
    assert tracking.run_addresses(client, 5000) == [
        f"  e: http://127.0.0.1:5000/#/experiments/{number}/runs?workflowType=machine_learning"]


def test_a_killed_process_is_closed_as_killed(store, tmp_path):
    code = ("import os, sys; from pathlib import Path; from pipeline import tracking\n"
            "with tracking.run('e', 'killed', {}, {}, root=Path(sys.argv[1])) as run:\n"
            "    run.metrics({'loss': 1.0}, 0)\n    os.kill(os.getpid(), 9)\n")
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    tracking.sync(tmp_path)
    client = connect(tracking_uri(tmp_path))
    [found] = client.search_runs([client.get_experiment_by_name("e").experiment_id])
    assert (found.info.status, found.data.metrics) == ("KILLED", {"loss": 1.0})


def test_what_the_server_refuses_does_not_block_the_rest(store, tmp_path):
    with tracking.run("e", "refused", {"lr": 1}, {}, key="k", root=tmp_path):
        pass
    with tracking.run("e", "refused", {"lr": 2}, {}, key="k", root=tmp_path) as run:  # MLflow keeps parameters
        run.metrics({"loss": 1.0}, 0)
    tracking.sync(tmp_path)
    [spool] = find_spools(tmp_path / tracking.SPOOLS)
    assert spool.pending() == 0
    assert "'lr': '2'" in (spool.folder / "refused.jsonl").read_text()
    assert metric_points(tmp_path, "loss") == [(0, 1.0)]


@pytest.mark.slow
def test_a_real_server_that_starts_late(tmp_path, monkeypatch, empty_mlflow):
    shutil.copy(empty_mlflow, tmp_path / "server.db")
    port = closed_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    with tracking.run("late", "run", {"lr": 0.1}, {}, root=tmp_path) as run:
        run.metrics({"loss": 1.0}, 0)
    assert tracking.pending(tmp_path) == 4  # start, environment, metrics, end
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
         "--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--artifacts-destination", str(tmp_path / "art")],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
    try:
        _wait_for(port)
        note = tmp_path / "note.txt"
        note.write_text("x")
        with tracking.run("late", "second", {}, {}, root=tmp_path) as run:  # sends the first one's record too
            run.metrics({"loss": 0.5}, 0)
            run.artifact(note)
        wait_for_senders()
        tracking.sync(tmp_path)
        client = connect(tracking_uri(tmp_path))
        runs = client.search_runs([client.get_experiment_by_name("late").experiment_id])
        assert {(one.info.run_name, one.data.metrics["loss"], one.info.status) for one in runs} == {
            ("run", 1.0, "FINISHED"), ("second", 0.5, "FINISHED")}
        assert [path.name for path in (tmp_path / "art").rglob("note.txt")] == ["note.txt"]
        assert tracking.pending(tmp_path) == 0
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def _wait_for(port: int) -> None:
    """Until it answers: its port is open long before."""
    for _ in range(600):
        with suppress(requests.RequestException):
            if requests.get(f"http://127.0.0.1:{port}/health", timeout=10).ok:
                return
        time.sleep(0.2)
    raise TimeoutError("the MLflow server did not start")


def test_records_are_json_without_nan(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port()}")
    with tracking.run("e", "nan", {}, {}, root=tmp_path) as run:
        run.metrics({"a": float("inf")}, 0)
    [spool] = find_spools(tmp_path / tracking.SPOOLS)
    lines = [json.loads(line, parse_constant=pytest.fail) for line in spool.records_path.read_text().splitlines()]
    assert [line["values"] for line in lines if line["kind"] == "metrics"] == [{"a": "inf"}]


def test_a_copied_project_has_its_artifacts_beside_it(store, tmp_path_factory):
    with tracking.run("train", "first", {}, {}, root=store) as run:
        run.text("note.txt", "of the original", "notes")
    wait_for_senders()
    tracking.sync(store)
    copied = tmp_path_factory.mktemp("copy") / "project"
    shutil.copytree(store, copied)
    before = {path: path.stat().st_mtime_ns for path in store.rglob("mlartifacts/**/*")}
    client = connect(tracking_uri(copied))
    [found] = client.search_runs([one.experiment_id for one in client.search_experiments()])
    assert found.info.artifact_uri.startswith(f"file://{copied}/.playmate/mlartifacts/")
    code = (f"from pipeline.tracking.client import connect; connect({tracking_uri(copied)!r}).log_text("
            f"{found.info.run_id!r}, 'of the copy', 'notes/note.txt')")   # MLflow remembers where a run's files lie
    subprocess.run([sys.executable, "-c", code], check=True)
    assert [path.read_text() for path in copied.rglob("note.txt") if "mlartifacts" in path.parts] == ["of the copy"]
    assert before == {path: path.stat().st_mtime_ns for path in store.rglob("mlartifacts/**/*")}
    client = connect(tracking_uri(store))   # and the original is as it was
    [found] = client.search_runs([one.experiment_id for one in client.search_experiments()])
    assert found.info.artifact_uri.startswith(f"file://{store}/.playmate/mlartifacts/")


@pytest.mark.parametrize(("version", "refused"), [("2.22.0", True), ("99.0", True), ("own", False), ("ours", False)])
def test_a_server_of_another_version_is_named_at_once(version, refused):
    import mlflow

    said = mlflow.__version__ if version == "ours" else version

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    uri = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        if refused:
            with pytest.raises(TrackingUnavailable, match=rf"{uri} is version {said}, and this client, .*upgrade"):
                connect(uri)
        else:
            assert connect(uri)
    finally:
        server.shutdown()
