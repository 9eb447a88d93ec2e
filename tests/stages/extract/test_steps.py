"""Decoding, models and writing apart give what one process gives. The actors run here as plain objects, without Ray."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from feature_store.schema import FAMILIES, MOTION
from pipeline.core.config import Params, parse_params
from pipeline.storage import ObjectMissing
from stages.extract.actor import ExtractionActor, Work
from stages.extract.gpu_actors import Decoder, Forward, Writer
from stages.extract.jobs import spool
from stages.extract.plan import Clip, kept_clips
from tests.stages.extract import made

PRINTS = {"motion": "m" * 32, "speech": "s" * 32}
KINDS = ["good", "faceless", "good", "good"]


@pytest.fixture
def params(tmp_path, monkeypatch, project) -> Params:
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["extract"] |= {"max_clip_s": 60.0, "gpus_per_actor": 1.0}
    monkeypatch.chdir(tmp_path)
    made.write_corpus("avspeech", KINDS)
    return parse_params(values)


@pytest.fixture
def work(params, tmp_path):
    def of(store: str, clips: list[Clip] | None = None) -> Work:
        path = tmp_path / f"{store}.arrow"
        jobs = [(clip, list(FAMILIES)) for clip in (clips or kept_clips("avspeech", PRINTS))]
        contexts.append(spool(jobs, path))
        contexts[-1].__enter__()
        return Work(params, str(tmp_path / store), "run", str(tmp_path), path, made.make_extractor)

    contexts = []
    yield of
    for context in contexts:
        context.__exit__(None, None, None)


BATCH = {"positions": np.array([np.array([0, 1, 2, 3], np.int32)], object)}


def apart(work: Work) -> list[dict]:
    """The three steps one after the other -> statuses."""
    statuses = Writer(work)(Forward(work)(Decoder(work)(BATCH)))
    return [dict(zip(statuses, values, strict=True)) for values in zip(*statuses.values(), strict=True)]


def objects(folder: str) -> dict[str, bytes]:
    root = Path(folder)
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_apart_gives_the_same_objects_and_statuses_as_together(work):
    together = ExtractionActor(work("one"))(BATCH)
    separate = apart(work("three"))
    assert objects("one") == objects("three") and len(objects("one")) == 7  # three clips of two, one reject
    assert [status["clip_id"] for status in separate] == list(together["clip_id"])
    assert [status["reject"] for status in separate] == list(together["reject"])
    assert json.loads(separate[1]["reject"])["code"] == "face_not_found"


def test_what_is_stored_already_is_not_computed_again(work, monkeypatch):
    done = work("one")
    ExtractionActor(done)(BATCH)
    before = objects("one")
    monkeypatch.setattr(made.MadeSpace, "extract", lambda *_: pytest.fail("computed again"))
    statuses = ExtractionActor(work("one", [clip for clip in kept_clips("avspeech", PRINTS)
                                            if clip.clip_id != "avspeech01"]))(
        {"positions": np.array([np.array([0, 1, 2], np.int32)], object)})
    assert list(statuses["reject"]) == [""] * 3 and objects("one") == before


def test_a_file_that_cannot_be_decoded_is_the_clips_own_fault(work):
    Path("data/crops/avspeech/avspeech02.wav").write_bytes(b"no sound")
    one, three = work("one"), work("three")
    assert ExtractionActor(one)(BATCH)["reject"] == [status["reject"] for status in apart(three)]
    assert objects("one") == objects("three")
    assert "avspeech02" in "".join(key for key in objects("three") if key.endswith("reject.json"))


def test_a_missing_file_stops_the_job(work):
    Path("data/crops/avspeech/avspeech03.mp4").unlink()
    with pytest.raises(FileNotFoundError, match="dvc repro preprocess"):
        apart(work("three"))


def test_the_time_of_a_batch_is_shared_by_its_frames(work, monkeypatch):
    """`playmate plan` would take a batched face space for one that costs nothing."""
    forward = Forward(work("three"))

    def prepare(clips):
        forward.extractor.space.seconds_per_frame = 2.0

    monkeypatch.setattr(forward.extractor.space, "prepare", prepare)
    (said,) = forward(Decoder(work("three"))(BATCH))["statuses"].to_pylist()
    seconds = [json.loads(status["seconds"]) for status in json.loads(said)]
    assert [found["motion"][1] for found in seconds if "motion" in found] == [made.FRAMES] * 3
    for found in seconds:
        if "motion" in found:
            assert 2.0 * made.FRAMES <= found["motion"][2] < 2.0 * made.FRAMES + 1


def test_a_batch_that_died_is_taken_apart(work, monkeypatch):
    """The second attempt computes clip by clip, each with a note of its own."""
    job, together = work("three"), []
    forward = Forward(job)
    monkeypatch.setattr(forward.extractor.space, "prepare", lambda clips: together.append(len(clips)))
    died = job.attempts("batch").attempt("avspeech00")
    died.__enter__()  # and never left
    decoded = Decoder(job)(BATCH)
    notes = []
    plain = forward._clip
    monkeypatch.setattr(forward, "_clip", lambda *arguments: notes.append(arguments[0].clip_id) or plain(*arguments))
    forward(decoded)
    assert together == [] and notes == [f"avspeech0{i}" for i in range(4)]


def test_a_clip_that_killed_its_decoders_is_given_up_and_its_neighbours_are_kept(work):
    job = work("three")
    for _ in range(3):
        job.attempts("decode").attempt("avspeech02").__enter__()
    statuses = apart(job)
    assert [bool(status["reject"]) for status in statuses] == [False, True, True, False]
    assert json.loads(statuses[2]["reject"])["code"] == "crash"
    assert not [key for key in objects("three") if "avspeech02" in key and key.endswith(".parquet")]


def test_a_full_gpu_is_no_fault_of_the_clip(work, monkeypatch):
    class OutOfMemoryError(RuntimeError):
        """As torch has it."""

    def full(*_):
        raise OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(made.MadeSpace, "extract", full)
    with pytest.raises(MemoryError, match="batch_frames"):
        apart(work("three"))


@pytest.mark.parametrize("said", [
    "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate "
    "68719476736 bytes. Error code 12 (Cannot allocate memory)", "std::bad_alloc"])
def test_memory_that_native_code_did_not_get_is_no_lasting_fault_of_the_clip(work, monkeypatch, said):
    """It is tried again under other limits, so no `.reject.json` may say that it would fail for ever."""
    def hungry(*_):
        raise RuntimeError(said)

    monkeypatch.setattr(made.MadeSpace, "extract", hungry)
    with pytest.raises(MemoryError, match="alloc"):
        ExtractionActor(work("one"))(BATCH)
    assert objects("one") == {}


def test_decoded_batches_hold_the_pictures_once(work):
    row = Decoder(work("three"))(BATCH)
    pictures = len(KINDS) * made.FRAMES * 32 * 32 * 3
    assert isinstance(row, pa.Table) and pictures < row.nbytes < 1.3 * pictures + len(KINDS) * made.FRAMES * 640 * 4


def test_a_project_folder_that_is_not_there_is_named(work, params):
    with pytest.raises(FileNotFoundError, match="every node must reach it"):
        Decoder(Work(params, "s", "run", "/no/such/project", Path("x"), made.make_extractor))


def test_an_empty_store_has_nothing(work):
    with pytest.raises(ObjectMissing):
        Forward(work("three")).outbox.size(f"{MOTION}/x")
