import pytest
import torch

from pipeline.storage.local import LocalStorage
from training.engine.checkpoint import CheckpointStore


@pytest.fixture
def store(tmp_path):
    store = CheckpointStore(LocalStorage(tmp_path), "run")
    for step in (2, 4, 6):
        store.save(step, {"step": step, "weights": {"a": torch.full((3,), float(step))}, "history": [{"loss": 0.5}]})
    return store


def files(tmp_path):
    return sorted((tmp_path / "run/checkpoints").glob("*.pt"))


def test_newest_is_read_and_two_are_kept(store, tmp_path):
    assert store.steps() == [4, 6] and len(files(tmp_path)) == 2
    state = store.load_latest()
    assert state["step"] == 6 and state["history"] == [{"loss": 0.5}]
    assert torch.equal(state["weights"]["a"], torch.full((3,), 6.0))


@pytest.mark.parametrize("damage", [lambda data: data[:-40], lambda data: b"",
                                    lambda data: data[:300] + b"x" + data[301:]])
def test_a_damaged_one_gives_way_to_the_one_before(store, tmp_path, damage, caplog):
    newest = files(tmp_path)[-1]
    newest.write_bytes(damage(newest.read_bytes()))
    assert store.load_latest()["step"] == 4
    assert "step_00000006" in caplog.text and "damaged" in caplog.text


def test_none_where_nothing_is_whole(store, tmp_path):
    for path in files(tmp_path):
        path.write_bytes(b"")
    assert store.load_latest() is None


def test_a_pickle_that_would_run_code_is_not_read(store, tmp_path):
    import hashlib
    import pickle

    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    payload = pickle.dumps(Bomb(), protocol=2)
    files(tmp_path)[-1].write_bytes(hashlib.sha256(payload).hexdigest().encode() + payload)
    assert store.load_latest()["step"] == 4
    assert not (tmp_path / "exploded").exists()
