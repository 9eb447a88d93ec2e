"""The extract stage with made-up models: what is computed, what is reused, what becomes of bad clips."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from feature_store.reader import FeatureStore
from feature_store.verify import verify
from pipeline.core.paths import WORK
from pipeline.storage import open_storage
from pipeline.storage.lease import Busy, LeaseLost, exclusive
from stages.extract import attempts, plan
from stages.extract import compute as cluster
from stages.extract import stage as extract
from stages.extract.attempts import Attempts
from tests.stages.extract import made
from tests.stages.extract.made import PRINTS


def quiet(_: str) -> None:
    pass


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_clips_become_features_and_a_clip_without_a_face_a_row(computed):
    made.write_corpus("avspeech", ["good", "faceless", "good"])
    manifest = extract.main("avspeech", quiet)
    assert [clip.clip_id for clip in FeatureStore([Path("data/features/avspeech")]).clips()] == ["avspeech00",
                                                                                                 "avspeech02"]
    assert [(r.clip_id, r.stage, r.code, r.value) for r in manifest.rejects] == [
        ("avspeech01", "extract", "face_not_found", 3.0)]
    assert verify(Path("data/features/avspeech")) == []


def test_nothing_is_computed_twice_also_no_reject(computed):
    made.write_corpus("avspeech", ["good", "faceless", "good"])
    extract.main("avspeech", quiet)
    before = snapshot(Path("data/features/avspeech"))
    computed.clear()
    extract.main("avspeech", quiet)
    assert computed == [] and snapshot(Path("data/features/avspeech")) == before


def test_one_more_clip_costs_one_clip(computed):
    made.write_corpus("avspeech", ["good"] * 3)
    extract.main("avspeech", quiet)
    computed.clear()
    made.write_corpus("avspeech", ["good"] * 4)
    assert extract.main("avspeech", quiet).clips == 4
    assert computed == ["avspeech03 motion", "avspeech03 speech"]


def test_new_code_of_one_family_leaves_the_other_alone(computed, monkeypatch):
    made.write_corpus("avspeech", ["good"] * 2)
    extract.main("avspeech", quiet)
    computed.clear()
    monkeypatch.setattr(extract, "fingerprints", lambda _: PRINTS | {"speech": "t" * 32})
    extract.main("avspeech", quiet)
    assert computed == ["avspeech00 speech", "avspeech01 speech"]
    table = FeatureStore([Path("data/features/avspeech")])
    assert table.fingerprints["speech"] == "t" * 32


def test_a_clip_whose_bytes_changed_is_computed_again(computed):
    made.write_corpus("avspeech", ["faceless", "good"])
    extract.main("avspeech", quiet)
    computed.clear()
    made.write_corpus("avspeech", ["good", "good"])
    assert extract.main("avspeech", quiet).rejects == []
    assert "avspeech00 motion" in computed and "avspeech01 motion" not in computed


def test_new_labels_cost_no_clip(computed, monkeypatch):
    made.write_corpus("avspeech", ["good"])
    extract.main("avspeech", quiet)
    computed.clear()
    rows = plan.iterate_clip_table
    monkeypatch.setattr(plan, "iterate_clip_table", lambda *a: (row | {"emotion": "happy"} for row in rows(*a)))
    extract.main("avspeech", quiet)
    assert computed == []
    assert FeatureStore([Path("data/features/avspeech")]).clips()[0].emotion == "happy"


def test_the_first_corpus_computes_ahead_for_the_others(computed):
    made.write_corpus("avspeech", ["good"])
    made.write_corpus("mead", ["good"])
    extract.main("avspeech", quiet)
    assert {line.split()[0] for line in computed} == {"avspeech00", "mead00"}
    computed.clear()
    assert extract.main("mead", quiet).clips == 1
    assert computed == []


def test_a_kill_between_clips_loses_nothing(computed, monkeypatch):
    made.write_corpus("avspeech", ["good"] * 3)
    whole = cluster.compute

    def killed(jobs, params, store):
        yield from whole(islice(jobs, 1), params, store)
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster, "compute", killed)
    with pytest.raises(KeyboardInterrupt):
        extract.main("avspeech", quiet)
    assert not Path("data/features/avspeech").exists()
    computed.clear()
    monkeypatch.setattr(cluster, "compute", whole)
    assert extract.main("avspeech", quiet).clips == 3
    assert {line.split()[0] for line in computed} == {"avspeech01", "avspeech02"}


def test_a_full_disk_stops_the_job_and_blames_no_clip(computed):
    made.write_corpus("avspeech", ["good", "full"])
    with pytest.raises(OSError, match="No space left"):
        extract.main("avspeech", quiet)
    assert not list(Path(".playmate/store").rglob("*.reject.json"))


def test_a_missing_crop_is_no_fault_of_the_clip(computed):
    made.write_corpus("avspeech", ["good"])
    Path("data/crops/avspeech/avspeech00.mp4").unlink()
    with pytest.raises(FileNotFoundError, match="dvc repro preprocess"):
        extract.main("avspeech", quiet)


def test_a_corpus_that_is_not_preprocessed_names_the_command(computed):
    with pytest.raises(FileNotFoundError, match="dvc repro preprocess@mead"):
        extract.main("mead", quiet)


def died(notes: Attempts, clip_id: str) -> None:
    notes.attempt(clip_id).__enter__()  # and never left
    attempts.faulthandler.cancel_dump_traceback_later()


def test_a_clip_is_given_up_after_three_deaths(tmp_path):
    notes = Attempts(tmp_path / "run", 60.0)
    for _ in range(2):
        died(notes, "clip")
        assert notes.reject_of("clip") is None
    died(notes, "clip")
    assert (notes.reject_of("clip").code, notes.reject_of("clip").value) == ("crash", 3.0)
    assert notes.reject_of("cli") is None


def test_deaths_of_an_earlier_run_do_not_count(tmp_path):
    for _ in range(3):
        died(Attempts(tmp_path / "run", 60.0), "clip")
    assert Attempts(tmp_path / "later", 60.0).reject_of("clip") is None
    attempts.sweep(tmp_path)
    assert Attempts(tmp_path / "run", 60.0).reject_of("clip") is None


def test_a_clip_that_takes_too_long_ends_its_process(tmp_path):
    code = ("import sys, time; from pathlib import Path; from stages.extract.attempts import Attempts\n"
            "with Attempts(Path(sys.argv[1]), 0.2).attempt('clip'): time.sleep(60)")
    for _ in range(3):
        assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == 1
    assert Attempts(tmp_path, 0.2).reject_of("clip").code == "timeout"
    assert (tmp_path / "clip.0").read_text().startswith("Timeout")


def test_an_attempt_that_ends_leaves_no_note(tmp_path):
    with Attempts(tmp_path, 60.0).attempt("clip"):
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_second_run_beside_the_first_is_refused(computed):
    made.write_corpus("avspeech", ["good"])
    with exclusive(WORK / "extract.lock", "extraction"), pytest.raises(Busy, match="another extraction is running"):
        extract.main("avspeech", quiet)
    assert computed == [] and not Path("data/features").exists()


def test_a_run_that_was_overtaken_commits_nothing_and_keeps_its_clips(computed, monkeypatch):
    """It slept while it computed; another machine took it for dead and went on."""
    made.write_corpus("avspeech", ["good"])
    whole = cluster.compute

    def overtaken(jobs, params, store):
        yield from whole(jobs, params, store)
        open_storage(store).put("leases/extract/000000002.json", b"{}")

    monkeypatch.setattr(cluster, "compute", overtaken)
    with pytest.raises(LeaseLost, match="number 2 after our 1"):
        extract.main("avspeech", quiet)
    assert not (Path("data/features/avspeech") / "manifest.json").exists()
    assert len(list(Path(".playmate/store/motion").rglob("*.parquet"))) == 1
