"""A team's own folder through `dvc repro`: what cannot be read is a row, and nothing of theirs is touched."""

from __future__ import annotations

import os
import socket
from fractions import Fraction

import numpy as np
import pytest

from pipeline.core.clip_table import read_clip_table
from pipeline.weights.table import WeightsError, weight_path
from tests.stages.preprocess.makers import clicks, regular, write
from tests.stages.preprocess.readers.test_clips import shard
from tests.toy_project import copy_project, run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
OWN = {"reader": "clips", "use": ["audio"], "singing": False, "sync": False}
NONE_EMBEDDED = dict.fromkeys(("avspeech", "celebv_text", "acappella", "mead", "mafw", "hdtf"))
LENIENT = {"thresholds": {"min_speech_share": 0.0, "min_face_px": 64.0}}   # for clicks, and the portrait's 94 px


def film(path, number):
    """Three seconds of a portrait that moves."""
    portrait, times = pytest.importorskip("skimage.data").astronaut()[:320, 60:380], regular(25, 3.2)
    frames = [np.roll(portrait, round(4 * np.sin(i / 9 + number)), axis=1) for i in range(len(times))]
    noise = np.random.default_rng(number).normal(0, 0.02, 51200).astype(np.float32)  # or they were one recording
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, frames, times, clicks([Fraction(1)], 3.2, 16000) + noise, rate=16000)


@pytest.fixture(scope="module")
def own(project, tmp_path_factory):
    """The project's folder after `dvc repro` on a folder inside it and one elsewhere, both of one kind."""
    try:
        weight_path("scrfd"), weight_path("silero_vad")
    except WeightsError as error:
        pytest.skip(str(error))
    folder, elsewhere = tmp_path_factory.mktemp("own") / "project", tmp_path_factory.mktemp("elsewhere")
    folder.mkdir()
    copy_project(project, folder, {"preprocess": LENIENT, "corpora": NONE_EMBEDDED | {
        "studio": OWN | {"path": "data/raw/real"}, "packed": OWN | {"path": str(elsewhere)}}})
    raw = folder / "data/raw/real"
    film(raw / "anna/IMG_0001.MOV", 1), film(raw / "ben/1.mp4", 2)
    (raw / "anna/dangling.mp4").symlink_to("nowhere.mp4")
    os.mkfifo(raw / "anna/pipe.mp4")
    (raw / os.fsdecode(b"anna/name\xff.mp4")).touch()
    here = os.getcwd()
    os.chdir(raw / "anna")   # a socket's address is short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket.mp4")
    os.chdir(here)
    (raw / "anna/private.mp4").write_bytes(b"1")
    (raw / "anna/private.mp4").chmod(0)
    video = film(elsewhere / "a.mp4", 3).read_bytes()
    shard(elsewhere / "s-0.tar", {"000.mp4": video, "000.json": b'{"person": "Cleo"}'})
    (elsewhere / "a.mp4").unlink()
    before = {path: path.lstat().st_mtime_ns for path in raw.rglob("*")}
    said = run(folder, "dvc", "repro", "split", timeout_s=300)
    return folder, said, before == {path: path.lstat().st_mtime_ns for path in raw.rglob("*")}


def test_what_cannot_be_read_is_a_row_and_the_rest_is_cut(own):
    rows = {row["source"]: row for row in read_clip_table(own[0] / "data/crops/studio/clips.parquet")}
    assert {name: row["identity"] for name, row in rows.items() if row["status"] == "kept"} == {
        "anna/IMG_0001.MOV": "studio/anna", "ben/1.mp4": "studio/ben"}
    codes = {name: row["code"] for name, row in rows.items() if row["status"] == "rejected"}
    assert codes.pop("anna/private.mp4") in ("unreadable_file", "unreadable")   # root may read it: no video then
    assert codes == {"anna/dangling.mp4": "not_a_file", "anna/pipe.mp4": "not_a_file", "anna/socket.mp4": "not_a_file",
                     "anna/name\\udcff.mp4": "bad_name"}


def test_a_shard_elsewhere_is_a_corpus_beside_it(own):
    [row] = read_clip_table(own[0] / "data/crops/packed/clips.parquet", status="kept")
    assert row["identity"] == "packed/Cleo" and (own[0] / f"data/crops/packed/{row['clip_id']}.mp4").is_file()


def test_someone_is_set_aside_for_tests_and_it_is_said(own):
    assert "no corpus is for tests and split.test_identities is empty: of 3 people, 1 set aside" in own[1]


def test_nothing_of_theirs_was_touched(own):
    assert own[2]


def test_one_more_clip_is_seen(own):
    folder = own[0]
    film(folder / "data/raw/real/dora/1.mp4", 4)
    said = run(folder, "dvc", "repro", "split", timeout_s=300)
    assert "Running stage 'preprocess@studio'" in said and "Running stage 'preprocess@packed'" not in said
    assert len(read_clip_table(folder / "data/crops/studio/clips.parquet", status="kept")) == 3
