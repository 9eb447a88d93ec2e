"""The same extraction with the feature store on a real S3 server: DVC's output is the manifest alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from feature_store import reader
from feature_store.garbage import published_manifests
from feature_store.reader import FeatureStore, open_store
from feature_store.units import UnitDamaged
from feature_store.verify import verify
from pipeline.core.config import ParamsError, parse_params
from pipeline.storage import lease, open_storage
from pipeline.storage.s3 import S3Storage
from playmate import store as upkeep
from stages.extract import stage as extract
from tests.stages.extract import made
from tests.stages.extract.made import PRINTS

pytestmark = pytest.mark.processes

FEATURES = Path("data/features/avspeech")


@pytest.fixture
def root(s3_bucket, params, computed, monkeypatch) -> str:
    root = f"s3://{s3_bucket}/lab/features"
    there = params.model_copy(update={"feature_store": params.feature_store.model_copy(update={"root": root})})
    monkeypatch.setattr(extract, "load_params", lambda: there)
    monkeypatch.setattr(upkeep, "fingerprints", lambda _: PRINTS)
    monkeypatch.setattr(lease, "_dead_here", lambda _: True)
    made.write_corpus("avspeech", ["good", "faceless", "good"])
    return root


def quiet(_: str) -> None:
    pass


def test_the_manifest_is_all_that_lies_here_and_readers_find_the_rest(root, computed):
    manifest = extract.main("avspeech", quiet)
    assert [path.name for path in FEATURES.iterdir()] == ["manifest.json"]
    assert manifest.root == root and json.loads((FEATURES / "manifest.json").read_text())["root"] == root
    store = open_store(["avspeech"])
    assert [clip.clip_id for clip in store.clips()] == ["avspeech00", "avspeech02"]
    np.testing.assert_array_equal(store.load("avspeech00").speech[0], store.load("avspeech02").speech[0])
    assert verify(FEATURES) == []
    computed.clear()
    again = (FEATURES / "manifest.json").read_bytes()
    shutil.rmtree(FEATURES)  # as DVC does
    extract.main("avspeech", quiet)
    assert computed == [] and (FEATURES / "manifest.json").read_bytes() == again


def test_the_rows_are_those_of_a_local_store(root, params, monkeypatch):
    extract.main("avspeech", quiet)
    there = {clip.clip_id: open_store(["avspeech"]).load(clip.clip_id) for clip in open_store(["avspeech"]).clips()}
    shards = json.loads((FEATURES / "manifest.json").read_text())["shards"]
    monkeypatch.setattr(extract, "load_params", lambda: params)
    extract.main("avspeech", quiet)
    here = FeatureStore([FEATURES])
    assert json.loads((FEATURES / "manifest.json").read_text())["shards"] == shards  # the very same bytes
    for clip_id, features in there.items():
        np.testing.assert_array_equal(here.load(clip_id).motion, features.motion)


def test_a_damaged_or_missing_shard_is_found_and_never_read(root, monkeypatch):
    manifest = extract.main("avspeech", quiet)
    storage, shard = open_storage(root), manifest.shards[0]
    data = storage.get(f"shards/{shard.name}")
    storage.put(f"shards/{shard.name}", bytes([data[0] ^ 1]) + data[1:])
    monkeypatch.setattr("pipeline.storage.s3.ATTEMPTS", 1)
    assert verify(FEATURES) == [f"{root}/shards/{shard.name}: its bytes are not those that were committed"]
    with pytest.raises(OSError, match="not those that were stored"):
        FeatureStore([FEATURES])
    assert not (reader.FETCHED / shard.name).exists()
    storage.delete(f"shards/{shard.name}")
    assert verify(FEATURES) == [f"{root}/shards/{shard.name}: missing"]
    extract.main("avspeech", quiet)
    assert verify(FEATURES) == []


def test_a_unit_that_was_altered_on_the_server_is_computed_again(root, computed, monkeypatch):
    golden = extract.main("avspeech", quiet)
    storage = open_storage(root)
    (unit, *_) = [key for key in storage.list("motion") if key.endswith(".parquet")]
    head = storage._head(unit)["Metadata"]
    storage.client.put_object(Bucket=storage.bucket, Key=storage._key(unit), Body=b"x" + storage.get(unit)[1:],
                              Metadata=head)  # the checksum of what it was
    for key in storage.list("packed"):
        storage.delete(key)
    monkeypatch.setattr("pipeline.storage.s3.ATTEMPTS", 1)
    with pytest.raises(UnitDamaged, match="was removed; run again"):
        extract.main("avspeech", quiet)
    computed.clear()
    assert extract.main("avspeech", quiet) == golden and computed == [f"{unit.split('/')[2][:10]} motion"]


def test_gc_spares_what_another_clone_has_committed(root, params, computed):
    extract.main("avspeech", quiet)
    made.write_corpus("avspeech", ["good"])  # another clone's data: other shards
    extract.main("avspeech", quiet)
    storage = open_storage(root)
    assert len(published_manifests(storage)) == 2
    shutil.rmtree(FEATURES)
    storage.put("shards/motion-000-dead.parquet", b"x")
    found = upkeep.collect_garbage(extract.load_params(), True, quiet)
    assert [item.name for item in found] == ["shards/motion-000-dead.parquet"]


def test_gc_sweeps_copies_of_shards_that_are_no_longer_named_here(root, computed):
    extract.main("avspeech", quiet)
    open_store(["avspeech"])
    fetched = {path.name for path in reader.FETCHED.iterdir()}
    made.write_corpus("avspeech", ["good"])
    named = {shard.name for shard in extract.main("avspeech", quiet).shards}
    said: list[str] = []
    upkeep.collect_garbage(extract.load_params(), False, said.append)
    assert {path.name for path in reader.FETCHED.iterdir()} == fetched
    assert sum("copy of a shard" in line for line in said) == len(fetched - named) > 0
    upkeep.collect_garbage(extract.load_params(), True, quiet)
    assert {path.name for path in reader.FETCHED.iterdir()} == fetched & named
    assert len(open_store(["avspeech"]).clips()) == 1


class Killed(BaseException):
    pass


@pytest.mark.parametrize("trials", [2, pytest.param(30, marks=pytest.mark.nightly)])
def test_killed_at_requests_to_the_server(root, monkeypatch, trials):
    """Some request does not happen, nor any after it; the next run ends the same."""
    count, at = 0, None

    def counted(method):
        def call(*arguments, **options):
            nonlocal count
            if at is not None and count >= at:
                raise Killed
            count += 1
            return method(*arguments, **options)

        return call

    for name in ("put", "put_if_absent", "put_file", "get", "size", "delete", "list"):
        monkeypatch.setattr(S3Storage, name, counted(getattr(S3Storage, name)))
    extract.main("avspeech", quiet)
    golden, total = (FEATURES / "manifest.json").read_bytes(), count
    assert total > 20
    for stop in np.linspace(5, total - 2, trials, dtype=int):
        clear(root)
        count, at = 0, stop
        with pytest.raises(Killed):
            extract.main("avspeech", quiet)
        assert not FEATURES.exists() or list(FEATURES.iterdir()) == [] or stop > total - 5
        at = None
        extract.main("avspeech", quiet)
        assert (FEATURES / "manifest.json").read_bytes() == golden and verify(FEATURES) == []


def clear(root: str) -> None:
    shutil.rmtree(FEATURES, ignore_errors=True)
    storage = open_storage(root)
    for folder in ("motion", "speech", "shards", "packed", "leases", "manifests"):
        for key in storage.list(folder):
            storage.delete(key)


@pytest.mark.parametrize("root", ["features", "/data", "s3://x", "s3://bucket/../other", "s3://", "S3://bucket"])
def test_a_root_that_cannot_be_is_refused(project, root):
    import yaml

    values = yaml.safe_load((project / "params.yaml").read_text())
    values["feature_store"]["root"] = root
    with pytest.raises(ParamsError, match=r"feature_store.root.*must be data/features, or s3://bucket/prefix"):
        parse_params(values)
