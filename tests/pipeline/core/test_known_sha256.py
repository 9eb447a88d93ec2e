"""Hashes that are remembered: when a file is read again, and that a wrong one is never given."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.core import known_sha256 as module
from pipeline.core.known_sha256 import KnownFiles


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def age(path, seconds: float) -> None:
    """Set back the time of change."""
    then = path.stat().st_mtime_ns - int(seconds * 1e9)
    os.utime(path, ns=(then, then))


@pytest.fixture
def read(monkeypatch) -> list:
    """Files whose bytes were read."""
    paths = []
    monkeypatch.setattr(module, "file_sha256", lambda path: paths.append(path.name) or sha256(path.read_bytes()))
    return paths


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"first")
    age(path, 100)
    return path


def test_a_file_that_did_not_change_is_read_once_and_by_no_later_run(tmp_path, file, read):
    for _ in range(3):
        assert KnownFiles(tmp_path / "known.sqlite").sha256(file) == sha256(b"first")
    assert read == ["a.mp4"]


def test_other_bytes_of_the_same_size_are_seen_by_their_time(tmp_path, file, read):
    known = KnownFiles(tmp_path / "known.sqlite")
    known.sha256(file)
    file.write_bytes(b"other")
    age(file, 50)
    assert known.sha256(file) == sha256(b"other") and len(read) == 2


def test_another_file_of_the_same_size_and_time_is_seen_by_its_inode(tmp_path, file, read):
    known = KnownFiles(tmp_path / "known.sqlite")
    known.sha256(file)
    other, then = tmp_path / "b", file.stat().st_mtime_ns
    other.write_bytes(b"other")
    os.utime(other, ns=(then, then))
    os.replace(other, file)
    assert known.sha256(file) == sha256(b"other")


def test_a_file_of_this_moment_is_not_remembered(tmp_path, file, read):
    known = KnownFiles(tmp_path / "known.sqlite")
    file.write_bytes(b"fresh")
    known.sha256(file)
    known.sha256(file)
    assert len(read) == 2
    age(file, 3)
    known.sha256(file)
    known.sha256(file)
    assert len(read) == 3


def test_a_file_that_changes_while_it_is_read_is_not_remembered(tmp_path, file, monkeypatch):
    def and_changes(path) -> str:
        found = sha256(path.read_bytes())
        path.write_bytes(b"later")
        age(path, 100)
        return found

    known = KnownFiles(tmp_path / "known.sqlite")
    monkeypatch.setattr(module, "file_sha256", and_changes)
    assert known.sha256(file) == sha256(b"first")
    monkeypatch.undo()
    assert known.sha256(file) == sha256(b"later")


def test_a_missing_file_is_an_error_also_where_it_was_known(tmp_path, file):
    known = KnownFiles(tmp_path / "known.sqlite")
    known.sha256(file)
    file.unlink()
    with pytest.raises(FileNotFoundError):
        known.sha256(file)


def test_a_damaged_table_costs_only_its_time(tmp_path, file, read):
    table = tmp_path / "known.sqlite"
    KnownFiles(table).sha256(file)
    for path in tmp_path.glob("known.sqlite*"):
        path.write_bytes(b"this is no table" * 300)
    assert KnownFiles(table).sha256(file) == sha256(b"first") == KnownFiles(table).sha256(file)
    assert len(read) == 2


def test_threads_and_two_tables_at_once(tmp_path):
    files = [tmp_path / str(index) for index in range(60)]
    for path in files:
        path.write_bytes(path.name.encode())
        age(path, 100)
    tables = [KnownFiles(tmp_path / "known.sqlite") for _ in range(2)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda item: tables[item[0] % 2].sha256(item[1]), enumerate(files * 3)))
    assert found == [sha256(path.name.encode()) for path in files] * 3
