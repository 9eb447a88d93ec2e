"""Training whose features and checkpoints lie on a real S3 server."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from pipeline.storage import open_storage
from stages import statistics, train_audio
from tests.s3_faults import faulty
from tests.training.toy import Untracked, clips, job, make_project, model
from training.engine.checkpoint import CheckpointStore
from training.engine.context import PlainContext
from training.motion.job import Job
from training.motion.learner import train

pytestmark = pytest.mark.processes


class Killed(Exception):
    pass


def on_s3(bucket: str, **optimiser) -> Job:
    """A toy run with its checkpoints on S3."""
    made = job(Path("nowhere"), model(dropout=0.2), clips(), **optimiser)
    made.checkpoints = CheckpointStore(open_storage(f"s3://{bucket}/runs"), "run")
    return made


def killed_at(step: int, made: Job) -> None:
    def on_step(reached: int) -> None:
        if reached == step:
            raise Killed

    made.on_step = on_step
    with pytest.raises(Killed):
        train(made, PlainContext())


def equal(first: dict, second: dict) -> bool:
    return all(torch.equal(value, second["weights"][name]) for name, value in first["weights"].items())


def test_a_killed_run_goes_on_from_s3_past_a_damaged_checkpoint(s3_bucket, tmp_path, caplog):
    whole = train(job(tmp_path, model(dropout=0.2), clips()), PlainContext())
    killed_at(5, on_s3(s3_bucket))
    store = on_s3(s3_bucket).checkpoints
    assert store.steps() == [2, 4]
    client, place = store.storage.client, {"Bucket": s3_bucket, "Key": "runs/run/checkpoints/step_00000004.pt"}
    stored = client.get_object(**place)
    client.put_object(**place, Body=stored["Body"].read()[:-100], Metadata=stored["Metadata"])
    resumed = train(on_s3(s3_bucket), PlainContext())
    assert equal(whole, resumed) and resumed["history"] == whole["history"]
    assert "step_00000004.pt is damaged" in caplog.text


def test_no_step_waits_for_s3(s3_server, s3_bucket, monkeypatch):
    """The server takes the first checkpoint only when step 3 is reached: a step that waited would wait for ever."""
    reached = threading.Event()
    with faulty(s3_server.endpoint, lambda proxy, body: not reached.wait(60), commands="PUT") as (address, seen):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        made = on_s3(s3_bucket, validate_every=100)
        made.on_step = lambda step: reached.set() if step == 3 else None
        train(made, PlainContext())
        assert reached.is_set() and made.checkpoints.load_latest()["finished"]
    assert any("step_00000002.pt" in request for request in seen if request.startswith("PUT"))


def test_features_and_checkpoints_on_s3_give_the_same_model(s3_bucket, tmp_path, monkeypatch, project):
    monkeypatch.setattr("training.engine.worker.tracked_run", lambda *given: nullcontext(Untracked()))
    places = {"local": {}, "s3": {"root": f"s3://{s3_bucket}/features", "checkpoints": f"s3://{s3_bucket}/runs"}}
    models = []
    for name, where in places.items():
        (tmp_path / name).mkdir()
        make_project(tmp_path / name, project, workers=0, **where)
        monkeypatch.chdir(tmp_path / name)
        statistics.main(lambda text: None)
        train_audio.main(lambda text: None)
        models.append(Path("data/models/audio/bundle/model.safetensors").read_bytes())
    assert models[0] == models[1]
    assert [path.name for path in Path("data/features/avspeech").iterdir()] == ["manifest.json"]
    assert list(Path(".playmate/shards").glob("*.parquet")) and not Path(".playmate/training").exists()
    runs = open_storage(f"s3://{s3_bucket}").list("runs")
    assert any(key.endswith("checkpoints/step_00000004.pt") for key in runs)
