"""What DVC compares of raw folders: nothing is opened, nothing stops it, and every change shows."""

from __future__ import annotations

import os
import socket

import boto3
import pytest
import yaml

from pipeline.core.atomic import write_bytes
from pipeline.core.config import parse_params
from stages import sources
from stages.sources import MissingCorpora, local_files, look, total
from tests.chosen import keep_corpora, raw_in


@pytest.fixture
def params(project, tmp_path):
    values = yaml.safe_load((project / "params.yaml").read_text())
    raw_in(values, tmp_path)

    def params(*names, **paths):
        keep_corpora(values, *names)
        for name, path in paths.items():
            values["corpora"][name]["path"] = path
        return parse_params(values)

    return params


def test_missing_folders_are_named_with_the_key(params, tmp_path):
    (tmp_path / "mead").mkdir()
    with pytest.raises(MissingCorpora, match=r"corpora\.avspeech\.path .*, corpora\.hdtf\.path .*: correct the path"):
        look(params("avspeech", "mead", "hdtf"))


def test_files_and_bytes_are_counted_with_folders_below(params, tmp_path):
    write_bytes(tmp_path / "avspeech" / "M003" / "a.mp4", b"12345")
    write_bytes(tmp_path / "avspeech" / "b.m4a", b"123")
    found = look(params("avspeech"))["avspeech"]
    assert (found["files"], found["bytes"]) == (2, 8)


def test_nothing_that_lies_there_stops_it(tmp_path):
    root = tmp_path / "raw"
    write_bytes(root / "a.mp4", b"12345")
    (root / "dangling.mp4").symlink_to(tmp_path / "nowhere")
    (root / "circle.mp4").symlink_to("circle.mp4")
    (root / "folder").symlink_to("/")
    os.mkfifo(root / "pipe.mp4")
    (root / os.fsdecode(b"name\xff.mp4")).touch()
    here = os.getcwd()
    os.chdir(root)   # a socket's address is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("socket.mp4")
    finally:
        os.chdir(here)
    (root / "secret.mp4").write_bytes(b"1")
    (root / "secret.mp4").chmod(0)
    found = local_files(root)
    assert {name for name, *_ in found} == {"a.mp4", "dangling.mp4", "circle.mp4", "folder", "pipe.mp4", "secret.mp4",
                                            "socket.mp4", os.fsdecode(b"name\xff.mp4")}
    assert total(found)["bytes"] == 6


@pytest.mark.parametrize("change", [
    lambda root: write_bytes(root / "a.mp4", b"longer"), lambda root: os.utime(root / "a.mp4", ns=(1, 1)),
    lambda root: (root / "a.mp4").rename(root / "b.mp4"), lambda root: write_bytes(root / "new.mp4", b""),
    lambda root: (root / "link.mp4").symlink_to("a.mp4"), lambda root: os.mkfifo(root / "pipe"),
])
def test_every_change_shows_and_nothing_else_does(tmp_path, change):
    write_bytes(tmp_path / "raw" / "a.mp4", b"12345")
    before = total(local_files(tmp_path / "raw"))
    assert total(local_files(tmp_path / "raw")) == before
    change(tmp_path / "raw")
    assert total(local_files(tmp_path / "raw")) != before


@pytest.mark.slow
def test_a_prefix_in_s3(params, s3_bucket):
    chosen = params("avspeech", avspeech=f"s3://{s3_bucket}/sets/mine")
    with pytest.raises(MissingCorpora, match="mine"):
        look(chosen)
    boto3.client("s3").put_object(Bucket=s3_bucket, Key="sets/mine/a.mp4", Body=b"123")
    first = look(chosen)["avspeech"]
    boto3.client("s3").put_object(Bucket=s3_bucket, Key="sets/mine/a.mp4", Body=b"321")
    assert (first["files"], first["bytes"]) == (1, 3) and look(chosen)["avspeech"] != first


def test_the_record_of_the_embedded_corpora_stands_for_them(params, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_bytes(tmp_path / "data/embedded/embedded.json", b"{}")
    chosen = params("avspeech", avspeech="data/embedded/avspeech")
    first = look(chosen)
    write_bytes(tmp_path / "data/embedded/embedded.json", b"{ }")
    assert look(chosen) != first


def test_nobody_to_learn_emotions_from_is_said_at_once(params, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "avspeech").mkdir()
    monkeypatch.setattr(sources, "load_params", lambda: params("avspeech"))
    sources.main()
    assert "no corpus has `emotion` in its `use`" in capsys.readouterr().err
    assert (tmp_path / "data/sources/avspeech.json").is_file()
