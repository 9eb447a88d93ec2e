"""Clips that raise, segfault, hang with the interpreter's lock, or eat memory: each alone is lost, with its reason."""

from __future__ import annotations

import faulthandler
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from feature_store.reader import FeatureStore
from feature_store.verify import verify
from stages.extract import attempts
from stages.extract import compute as cluster
from stages.extract import stage as extract
from stages.extract.actor import ATTEMPTS, ExtractionActor, Work
from stages.extract.jobs import spool
from tests.stages.extract import made

pytestmark = pytest.mark.processes

KINDS = ["good", "segfault", "good", "hang", "good", "faceless", "good", "hungry", "good", "killed", "good", "good"]
REASONS = {"avspeech01": "crash", "avspeech03": "timeout", "avspeech05": "face_not_found", "avspeech07": "memory",
           "avspeech09": "crash"}


@pytest.fixture
def started(params, monkeypatch) -> list[str]:
    """Short limits; the list fills with the clips that are given to workers."""
    section = params.extract.model_copy(update={"max_clip_s": 4.0, "max_memory_gb": 2.0, "ray_min_clips": 0})
    monkeypatch.setattr(extract, "load_params", lambda: params.model_copy(update={"extract": section}))
    return []


def workers_that_die(jobs, params, store) -> Iterator[dict]:
    """As Ray does it: a block whose process died is given to a new one, until it comes back."""
    path = Path(".playmate/jobs.arrow")
    with spool(jobs, path) as frames:
        work = Work(params, store, "run", os.getcwd(), path, made.make_extractor)
        for position in range(len(frames)):
            columns = None
            while columns is None:
                columns = _in_a_process(work, position)
            yield {name: values[0] for name, values in columns.items()}
    attempts.sweep(ATTEMPTS)


def _in_a_process(work: Work, position: int) -> dict | None:
    answers, answer = os.pipe()
    pid = os.fork()
    if pid == 0:
        faulthandler.disable()  # pytest has it print every crash
        result = ExtractionActor(work)({"positions": [np.array([position])]})
        os.write(answer, json.dumps(result).encode())
        os._exit(0)
    os.close(answer)
    with os.fdopen(answers) as file:
        said = file.read()
    os.waitpid(pid, 0)
    return json.loads(said) if said else None


def recorded(compute, started: list[str]):
    def run(jobs, params, store):
        jobs = list(jobs)
        started.extend(clip.clip_id for clip, _ in jobs)
        return compute(iter(jobs), params, store)

    return run


def check(started: list[str]) -> None:
    """Extract twelve clips, five of them bad, and another corpus ahead; then both again."""
    made.write_corpus("avspeech", KINDS)
    made.write_corpus("mead", ["good", "segfault"])
    manifest = extract.main("avspeech", lambda _: None)
    assert {reject.clip_id: reject.code for reject in manifest.rejects} == REASONS
    assert all(reject.detail and reject.value is not None for reject in manifest.rejects)
    good = [f"avspeech{i:02d}" for i, kind in enumerate(KINDS) if kind == "good"]
    assert [clip.clip_id for clip in FeatureStore([Path("data/features/avspeech")]).clips()] == good
    assert verify(Path("data/features/avspeech")) == [] and not Path(".playmate/attempts").exists()
    assert len(started) == len(KINDS) + 2
    started.clear()
    assert [reject.code for reject in extract.main("mead", lambda _: None).rejects] == ["crash"]
    before = (Path("data/features/avspeech") / "manifest.json").read_bytes()
    extract.main("avspeech", lambda _: None)
    assert (Path("data/features/avspeech") / "manifest.json").read_bytes() == before
    assert started == [], "clips that were given up were tried again"


def test_one_clip_of_each_kind_among_good_ones(started, monkeypatch):
    monkeypatch.setattr(cluster, "compute", recorded(workers_that_die, started))
    check(started)


@pytest.mark.nightly
def test_one_in_a_hundred_of_each_kind_loses_no_good_clip(started, monkeypatch):
    """200 clips, two of each bad kind at places drawn with a seed."""
    section = extract.load_params().extract.model_copy(update={"max_clip_s": 2.0})
    params = extract.load_params().model_copy(update={"extract": section})
    monkeypatch.setattr(extract, "load_params", lambda: params)
    monkeypatch.setattr(cluster, "compute", workers_that_die)
    bad = {"faceless": "face_not_found", "segfault": "crash", "hang": "timeout", "hungry": "memory", "killed": "crash"}
    kinds = ["good"] * 200
    for i, place in enumerate(random.Random(1).sample(range(200), 10)):
        kinds[place] = list(bad)[i % 5]
    made.write_corpus("avspeech", kinds)
    manifest = extract.main("avspeech", lambda _: None)
    expected = {f"avspeech{i:02d}": bad[kind] for i, kind in enumerate(kinds) if kind != "good"}
    assert {reject.clip_id: reject.code for reject in manifest.rejects} == expected and len(expected) == 10
    assert manifest.clips == 190 and verify(Path("data/features/avspeech")) == []


def test_other_limits_give_a_clip_another_chance(started, monkeypatch):
    monkeypatch.setattr(cluster, "compute", recorded(workers_that_die, started))
    made.write_corpus("avspeech", ["good", "hungry", "faceless"])
    extract.main("avspeech", lambda _: None)
    before = extract.load_params()
    section = before.extract.model_copy(update={"max_memory_gb": 3.0})
    monkeypatch.setattr(extract, "load_params", lambda: before.model_copy(update={"extract": section}))
    started.clear()
    extract.main("avspeech", lambda _: None)
    assert started == ["avspeech01"]  # not the one without a face: it would fail again


@pytest.mark.slow
@pytest.mark.ray
def test_one_clip_of_each_kind_among_good_ones_on_ray(ray_session, started, monkeypatch):
    whole = cluster.compute
    monkeypatch.setattr(cluster, "compute", recorded(lambda *a: whole(*a, make=made.make_extractor), started))
    check(started)
