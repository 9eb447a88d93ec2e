"""`playmate store`: verify finds what is not as it was committed, gc sweeps nothing that anything needs."""

from __future__ import annotations

import pytest

from feature_store.units import write_quarantine
from pipeline.core.paths import FEATURES, WORK
from pipeline.storage import open_storage
from pipeline.storage.lease import Busy, exclusive, hold
from playmate import store as upkeep
from stages.extract import stage as extract
from stages.extract.plan import kept_clips, limits_of
from tests.stages.extract import made
from tests.stages.extract.made import PRINTS

STORE = ".playmate/store"


@pytest.fixture
def said(computed, monkeypatch) -> list[str]:
    monkeypatch.setattr(upkeep, "fingerprints", lambda _: PRINTS)
    made.write_corpus("avspeech", ["good", "faceless", "good"])
    extract.main("avspeech", lambda _: None)
    return []


def names(storage) -> list[str]:
    return storage.list("motion") + storage.list("speech") + storage.list("shards") + storage.list("packed")


def test_verify_names_the_corpus_and_what_is_wrong(said):
    assert upkeep.verify_all([], said.append)
    assert said == ["avspeech: 2 shards, 2 clips, every byte as committed"]
    shard = sorted((FEATURES / "avspeech").glob("*.parquet"))[0]
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.unlink()
    shard.write_bytes(data)
    (FEATURES / "avspeech" / "stranger.parquet").write_bytes(b"")
    said.clear()
    assert not upkeep.verify_all(["avspeech"], said.append)
    assert "not those that were committed" in said[0] and "stranger.parquet: not in the manifest" in said[1]


def test_verify_without_features_names_the_command(params):
    with pytest.raises(FileNotFoundError, match="dvc repro extract"):
        upkeep.verify_all([], print)


def test_a_whole_store_has_no_garbage(said, params):
    assert upkeep.collect_garbage(params, True, said.append) == []


def test_gc_first_lists_then_deletes_and_touches_nothing_that_is_needed(said, params, monkeypatch, computed):
    storage = open_storage(STORE)
    needed = names(storage)
    other = "o" * 32
    garbage = {"shards/motion-000-dead.parquet", f"motion/{other}/clip-0.parquet", f"speech/{other}/c.reject.json"}
    for key in garbage:
        storage.put(key, b"12345")
    (WORK / "store" / "motion" / ".half.deadbeef").write_bytes(b"1")
    found = upkeep.collect_garbage(params, False, said.append)
    assert {item.name for item in found} == garbage | {"motion/.half.deadbeef"}
    assert "nothing deleted" in said[-1] and set(names(storage)) == set(needed) | garbage
    upkeep.collect_garbage(params, True, said.append)
    assert names(storage) == needed and storage.unfinished() == []
    computed.clear()
    extract.main("avspeech", lambda _: None)
    assert computed == []


def test_gc_keeps_units_of_the_manifest_and_of_the_present_parameters(said, params, monkeypatch):
    monkeypatch.setattr(upkeep, "fingerprints", lambda _: PRINTS | {"motion": "n" * 32})
    storage = open_storage(STORE)
    storage.put(f"motion/{'n' * 32}/clip-0.parquet", b"of a run that was killed and will go on")
    assert upkeep.collect_garbage(params, True, said.append) == []


def test_gc_waits_for_nobody_and_touches_nothing_while_a_run_holds_the_store(said, params):
    with exclusive(WORK / "extract.lock", "extraction"), pytest.raises(Busy):
        upkeep.collect_garbage(params, True, said.append)
    beats = iter(range(99))
    with hold(open_storage(STORE), "extract", "extraction") as lease, pytest.raises(Busy):
        upkeep.hold(open_storage(STORE), "extract", "gc", sleep=lambda _: lease.renew(next(beats))).__enter__()


def test_an_altered_shard_is_mended_from_the_units(said, computed):
    before = {path.name: path.read_bytes() for path in (FEATURES / "avspeech").iterdir()}
    for path in (WORK / "store" / "shards").iterdir():
        path.write_bytes(b"x" + path.read_bytes()[1:])  # the same file as in data/features
    computed.clear()
    extract.main("avspeech", lambda _: None)
    assert computed == [] and {path.name: path.read_bytes() for path in (FEATURES / "avspeech").iterdir()} == before


def test_retry_forgets_quarantined_clips_alone(said, params, computed):
    storage = open_storage(STORE)
    clip = next(iter(kept_clips("avspeech", PRINTS)))
    storage.delete(str(clip.keys["motion"]))
    write_quarantine(storage, clip.keys["motion"].quarantine, made.crashed(clip.clip_id), limits_of(params))
    computed.clear()
    assert [r.code for r in extract.main("avspeech", lambda _: None).rejects] == ["crash", "face_not_found"]
    assert computed == [] and upkeep.retry(params, said.append) == 1
    assert [r.code for r in extract.main("avspeech", lambda _: None).rejects] == ["face_not_found"]
    assert computed == ["avspeech00 motion"] and upkeep.retry(params, said.append) == 0
