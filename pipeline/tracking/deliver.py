"""Sends the record of a run to MLflow; `pipeline/tracking/sender.py` says when.

A record may be sent twice (the process can die between the answer and the note of it) and still stands once on the
server: runs are found again by their key, and MLflow keeps one of two equal metrics, parameters, tags, artifacts.
"""

from __future__ import annotations

import dataclasses
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

from pipeline.tracking.client import artifact_root, connect, experiment_id, tracking_uri
from pipeline.tracking.spool import Sent, Spool

log = logging.getLogger(__name__)
KEY_TAG = "playmate.run_key"
BATCH = 500            # metrics in one request; MLflow takes 1000
SMALL_BATCH = 100      # parameters or tags in one request; MLflow's limit
_REFUSED = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "INVALID_STATE"}


def send(spool: Spool, root: Path = Path(), killed: bool = False) -> int:
    """Send what the server does not have yet; returns the number of records sent, raises where it is away.

    `killed`: the process of the run is gone without an end record, so the run is closed as KILLED.
    """
    uri = tracking_uri(root)
    sent = spool.read_sent()
    if sent.uri != uri:
        sent = Sent(uri=uri)  # an unfinished record goes whole to the server that is in use now
    pending = list(spool.records(sent.offset))
    if not pending and not (killed and not sent.ended):
        return 0
    client = connect(uri)
    start = next(spool.records())[0]
    sent = _open_run(client, start, sent, artifact_root(uri, root))
    spool.save_sent(sent)
    for batch, offset in _batches(pending):
        _deliver(client, spool, sent.run_id, batch)
        sent = dataclasses.replace(sent, offset=offset, ended=batch[-1]["kind"] == "end")
        spool.save_sent(sent)
    if killed and not sent.ended:
        client.set_terminated(sent.run_id, "KILLED")
        spool.save_sent(dataclasses.replace(sent, ended=True))
    return len(pending)


def _open_run(client, start: dict, sent: Sent, artifacts: str | None) -> Sent:
    """Find the run by id or by key, or make it; a run that ended before and goes on is RUNNING again."""
    from mlflow.entities import RunStatus
    from mlflow.exceptions import MlflowException

    run = None
    if sent.run_id:
        try:
            run = client.get_run(sent.run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            sent = Sent(uri=sent.uri)
    experiment = experiment_id(client, start["experiment"], artifacts)
    if run is None:
        found = client.search_runs([experiment], f"tags.`{KEY_TAG}` = '{start['key']}'", max_results=1)
        run = found[0] if found else client.create_run(
            experiment, start_time=start["time_ms"], run_name=start["name"], tags={KEY_TAG: start["key"]})
    if run.info.status != "RUNNING":
        client.update_run(run.info.run_id, status=RunStatus.to_string(RunStatus.RUNNING))
    return dataclasses.replace(sent, run_id=run.info.run_id, ended=False)


def _batches(pending: list[tuple[dict, int]]) -> Iterator[tuple[list[dict], int]]:
    """Neighbouring records of one kind together; metrics up to `BATCH` values."""
    batch: list[dict] = []
    end = 0
    for record, offset in pending:
        size = sum(len(one.get("values", {})) for one in batch)
        if batch and (record["kind"] != "metrics" or batch[0]["kind"] != "metrics"
                      or size + len(record["values"]) > BATCH):
            yield batch, end
            batch = []
        batch.append(record)
        end = offset
    if batch:
        yield batch, end


def _deliver(client, spool: Spool, run_id: str, batch: list[dict]) -> None:
    """One request or a few; what the server refuses for good is kept in `refused.jsonl`, never tried for ever."""
    from mlflow.exceptions import MlflowException

    try:
        _SENDERS[batch[0]["kind"]](client, spool, run_id, batch)
    except MlflowException as error:
        if error.error_code not in _REFUSED:
            raise
        log.warning("tracking: the server refused a record of %s: %s", spool.folder.name, error)
        with (spool.folder / "refused.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(f"{batch!r}\n")


def _send_start(client, spool, run_id, batch) -> None:
    start = batch[0]
    _send_params(client, run_id, start["params"])
    _set_tags(client, run_id, start["tags"])


def _send_params(client, run_id: str, params: dict[str, str]) -> None:
    from mlflow.entities import Param

    entries = [Param(key, value) for key, value in params.items()]
    for at in range(0, len(entries), SMALL_BATCH):
        client.log_batch(run_id, params=entries[at:at + SMALL_BATCH])


def _set_tags(client, run_id: str, tags: dict[str, str]) -> None:
    from mlflow.entities import RunTag

    entries = [RunTag(key, value) for key, value in tags.items()]
    for at in range(0, len(entries), SMALL_BATCH):
        client.log_batch(run_id, tags=entries[at:at + SMALL_BATCH])


def _send_metrics(client, spool, run_id, batch) -> None:
    from mlflow.entities import Metric

    client.log_batch(run_id, metrics=[
        Metric(name, float(value), record["time_ms"], record["step"])
        for record in batch for name, value in record["values"].items()])


def _send_tags(client, spool, run_id, batch) -> None:
    _set_tags(client, run_id, batch[0]["tags"])


def _send_dataset(client, spool, run_id, batch) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    record = batch[0]
    dataset = Dataset(record["name"], record["digest"], "local", record["source"], profile=record.get("profile"))
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", record["context"])])])


def _send_artifact(client, spool, run_id, batch) -> None:
    kept = spool.folder / "files" / batch[0]["file"]
    if not kept.exists():
        return  # sent before, and the note of it was lost with the process
    if kept.is_dir():
        target = "/".join(part for part in (batch[0]["folder"], kept.name) if part)
        client.log_artifacts(run_id, str(kept), target)
    else:
        client.log_artifact(run_id, str(kept), batch[0]["folder"] or None)
    shutil.rmtree(kept.parent)


def _send_end(client, spool, run_id, batch) -> None:
    client.set_terminated(run_id, batch[0]["status"], batch[0]["time_ms"])


_SENDERS = {"start": _send_start, "metrics": _send_metrics, "tags": _send_tags, "dataset": _send_dataset,
            "artifact": _send_artifact, "end": _send_end}
