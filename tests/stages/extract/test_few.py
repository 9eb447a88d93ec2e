"""A few clips are computed without Ray, by a process that may die."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from feature_store.verify import verify
from pipeline.compute.guard import CannotStart, Failure
from stages.extract import compute as cluster
from stages.extract import one_process
from stages.extract import stage as extract
from stages.extract.one_process import WorkerFailed
from tests.stages.extract import made

pytestmark = pytest.mark.processes


@pytest.fixture
def few(params, monkeypatch) -> list[str]:
    """Fewer than eight clips; the list fills with the words of the stage. Ray cannot even be imported."""
    section = params.extract.model_copy(update={"ray_min_clips": 8, "max_clip_s": 60.0, "max_memory_gb": 2.0})
    monkeypatch.setattr(extract, "load_params", lambda: params.model_copy(update={"extract": section}))
    compute = cluster.compute
    monkeypatch.setattr(cluster, "compute", lambda *a: compute(*a, make=made.make_extractor))
    monkeypatch.setattr(cluster, "ray_session", lambda _: pytest.fail("Ray was started"))
    return []


def test_clips_that_kill_their_process_cost_themselves_alone(few):
    made.write_corpus("avspeech", ["good", "segfault", "good", "hungry", "faceless"])
    manifest = extract.main("avspeech", few.append)
    assert {reject.clip_id[-2:]: reject.code for reject in manifest.rejects} == {
        "01": "crash", "03": "memory", "04": "face_not_found"}
    assert manifest.clips == 2 and verify(Path("data/features/avspeech")) == []
    assert not Path(".playmate/attempts").exists() and not list(Path(".playmate/jobs").iterdir())
    assert "5 of 5 clips" in few[-2]


def test_a_full_disk_stops_the_job_with_its_own_words(few):
    made.write_corpus("avspeech", ["good", "full", "good"])
    cluster.JOBS.mkdir(parents=True)
    (cluster.JOBS / "killed.arrow").write_bytes(b"of a run that was killed")
    with pytest.raises(WorkerFailed, match=r"OSError: \[Errno 28\] No space left on device"):
        extract.main("avspeech", few.append)
    assert len(list(Path(".playmate/store/motion").rglob("*.parquet"))) == 1  # what was finished before is kept
    assert not list(Path(".playmate/store").rglob("*.reject.json")) and list(cluster.JOBS.iterdir()) == []


def dies(params, storage):
    sys.exit(7)


def test_a_process_that_cannot_start_ends_the_stage(few, monkeypatch):
    made.write_corpus("avspeech", ["good"])
    monkeypatch.setattr(made, "make_extractor", dies)
    with pytest.raises(CannotStart, match="exit status 7"):
        extract.main("avspeech", few.append)


class DiesOutside:
    """A child that ends before it notes an attempt."""

    tries = 0

    def run(self, task):
        self.tries += 1
        return Failure("crash", "its process ended twice: by SIGKILL")


def test_a_process_that_never_gets_to_a_clip_is_not_started_for_ever():
    child = DiesOutside()
    with pytest.raises(WorkerFailed, match="ended 6 times before it began one"):
        one_process._status(child, 0)
    assert child.tries == 3


def test_many_clips_and_gpus_are_rays(params, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(cluster, "_on_ray", lambda work, frames: iter(asked.append(len(frames)) or ()))
    monkeypatch.setattr(cluster, "compute_few", lambda work, count: iter([count]))
    made.write_corpus("avspeech", ["good"] * 2)

    def run(**changed) -> list:
        section = params.extract.model_copy(update=changed)
        jobs = ((clip, ["motion"]) for clip in extract.kept_clips("avspeech", made.PRINTS))
        return list(cluster.compute(jobs, params.model_copy(update={"extract": section}), str(tmp_path)))

    assert run(ray_min_clips=3) == [2] and asked == []
    assert run(ray_min_clips=2) == run(ray_min_clips=3, gpus_per_actor=1.0) == [] and asked == [2, 2]
