"""The stage on a small corpus with a real portrait: what is kept, what is done again, what depends on nothing."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline.components import detector as components
from pipeline.core.clip_table import read_clip_table
from pipeline.core.config import Params, parse_params
from pipeline.core.fingerprint import file_sha256
from pipeline.media.crops import read_crop, read_wav
from pipeline.weights.table import WeightsError
from stages.preprocess import stage
from stages.preprocess import workers as preprocess_workers
from stages.preprocess.clip import load_worker
from stages.preprocess.records import WorkFolder
from stages.preprocess.task import Answer, Reason
from tests.chosen import change, raw_in
from tests.models.face.test_detectors import landmark_network
from tests.needs import weight
from tests.stages.preprocess.makers import clicks, regular, write

pytestmark = pytest.mark.processes

NAMES = ["PmD-LzPS2rg", "-1wCGAxqT_4", "h-fSfAFufCo"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Three segments of a portrait that moves, a broken one and a missing one."""
    weight("scrfd"), weight("silero_vad")
    portrait = pytest.importorskip("skimage.data").astronaut()[:320, 60:380]
    root = tmp_path_factory.mktemp("raw")
    folder = root / "avspeech"
    folder.mkdir()
    times = regular(30, 3.2)
    for number, name in enumerate(NAMES):
        frames = [np.roll(portrait, round(4 * np.sin(i / 9 + number)), axis=1) for i in range(len(times))]
        noise = np.random.default_rng(number).normal(0, 0.02, 51200).astype(np.float32)  # or they were one recording
        write(folder / f"{name}_1-4.2.mp4", frames, times, clicks([Fraction(1)], 3.2, 16000) + noise, rate=16000)
    (folder / "brokenFile1_1-4.2.mp4").write_text("404")
    (folder / "avspeech_train.csv").write_text("".join(
        f"{name},1,4.2,0.5,0.4\n" for name in [*NAMES, "brokenFile1", "deadVideo01"]))
    return root


def params(project, root, **changes) -> Params:
    """The project's values, without the wish for speech and for a face larger than the portrait's 94 px."""
    values = yaml.safe_load((project / "params.yaml").read_text())
    raw_in(values, root)
    change(values, {"preprocess": {"thresholds": {"min_speech_share": 0.0, "min_face_px": 64.0}}})
    change(values, changes)
    return parse_params(values)


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): file_sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def first(project, corpus, tmp_path_factory):
    """The stage's first run, with two workers."""
    folder = tmp_path_factory.mktemp("first")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        rows = stage.preprocess("avspeech", params(project, corpus, ray={"num_cpus": 2}))
    return folder, rows, contents(folder / "data")


def counting(monkeypatch) -> list:
    done = []
    process = preprocess_workers.process
    monkeypatch.setattr(preprocess_workers, "process", lambda unit, *rest: (done.append(unit.row.key),
                                                                            process(unit, *rest)))
    return done


def test_rows_and_crops(first):
    folder, rows, _ = first
    assert sorted((row["status"], row["code"] or "") for row in read_clip_table(
        folder / "data/crops/avspeech/clips.parquet")) == [
        ("kept", ""), ("kept", ""), ("kept", ""), ("rejected", "missing_media"), ("rejected", "unreadable")]
    for row in (row for row in rows if row["status"] == "kept"):
        name = folder / "data/crops/avspeech" / row["clip_id"]
        assert read_crop(name.with_suffix(".mp4")).shape == (80, 256, 256, 3) and row["frames"] == 80
        assert len(read_wav(name.with_suffix(".wav"))) == 80 * 640
        assert row["detection_share"] == 1.0 and row["face_px"] > 90 and row["source_fps"] == pytest.approx(30, abs=0.5)
        assert file_sha256(name.with_suffix(".mp4")) == row["crop_sha256"]


def test_again_does_nothing_and_gives_the_same_bytes(first, project, corpus, monkeypatch):
    folder, _, before = first
    monkeypatch.chdir(folder)
    done = counting(monkeypatch)
    stage.preprocess("avspeech", params(project, corpus))
    assert done == [] and contents(folder / "data") == before


@pytest.mark.slow
def test_one_worker_that_decodes_twice_gives_the_same_bytes(first, project, corpus, monkeypatch, tmp_path):
    """In a fresh folder, without memory for pictures: neither the number of workers nor their memory shows."""
    monkeypatch.chdir(tmp_path)
    stage.preprocess("avspeech", params(project, corpus, ray={"num_cpus": 1}, preprocess={"keep_frames_gb": 0.0}))
    assert contents(tmp_path / "data") == first[2]


def test_thresholds_are_decided_without_decoding_again(first, project, corpus, monkeypatch):
    folder, _, before = first
    monkeypatch.chdir(folder)
    done = counting(monkeypatch)
    rows = stage.preprocess("avspeech", params(project, corpus, preprocess={"thresholds": {"min_face_px": 1000.0}}))
    assert done == [] and {row["code"] for row in rows} == {"small_face", "missing_media", "unreadable"}
    assert {p.suffix for p in (folder / "data/crops/avspeech/rejects").iterdir()} == {".jpg"}
    assert {row["status"] for row in rows} == {"rejected"}
    stage.preprocess("avspeech", params(project, corpus))
    assert done == [] and contents(folder / "data") == before


def test_what_a_threshold_ruled_out_is_kept_later_without_decoding(first, project, corpus, monkeypatch, tmp_path):
    """The crops of rejected pieces are there already."""
    monkeypatch.chdir(tmp_path)
    link = tmp_path / "raw" / "avspeech"
    link.mkdir(parents=True)
    name = f"{NAMES[0]}_1-4.2.mp4"
    os.link(corpus / "avspeech" / name, link / name)
    strict = params(project, tmp_path / "raw", preprocess={"thresholds": {"min_face_px": 1000.0, "min_blur": 1e9}})
    [row] = stage.preprocess("avspeech", strict)
    assert row["code"] == "small_face" and row["blur"] > 0 and row["crop_sha256"] is None
    done = counting(monkeypatch)
    [row] = stage.preprocess("avspeech", params(project, tmp_path / "raw"))
    assert done == [] and row["status"] == "kept" and (Path("data/crops/avspeech") / f"{row['clip_id']}.wav").exists()


def test_a_lost_or_altered_crop_is_made_again(first, project, corpus, monkeypatch):
    folder, rows, before = first
    monkeypatch.chdir(folder)
    kept = next(row for row in rows if row["status"] == "kept")
    [file] = folder.glob(f".playmate/work/preprocess/*/*/{kept['clip_id']}.mp4")
    file.write_bytes(b"altered")
    done = counting(monkeypatch)
    stage.preprocess("avspeech", params(project, corpus))
    assert len(done) == 1 and contents(folder / "data") == before


def test_a_run_with_nothing_to_do_reads_no_media_and_no_crop(first, project, corpus, monkeypatch):
    folder, _, before = first
    monkeypatch.chdir(folder)
    for path in (*corpus.rglob("*"), *folder.glob(".playmate/work/preprocess/*/*/*")):
        if path.is_file():  # what was written just now is not remembered
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 100))
    stage.preprocess("avspeech", params(project, corpus))
    read, file_digest = [], hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, name: read.append(file.name) or file_digest(file, name))
    stage.preprocess("avspeech", params(project, corpus))
    assert read  # code and weights
    assert not [name for name in read if Path(name).suffix in (".mp4", ".wav")] and contents(folder / "data") == before


def test_one_more_clip_costs_one_clip(first, project, corpus, monkeypatch, tmp_path):
    folder, _, before = first
    monkeypatch.chdir(folder)
    more = tmp_path / "raw" / "avspeech"
    more.mkdir(parents=True)
    for path in (corpus / "avspeech").iterdir():
        os.link(path, more / path.name)
    (more / "newVideo001_1-4.2.mp4").symlink_to(f"{NAMES[0]}_1-4.2.mp4")
    text = (more / "avspeech_train.csv").read_text()
    (more / "avspeech_train.csv").unlink()
    (more / "avspeech_train.csv").write_text(text + "newVideo001,1,4.2,0.5,0.4\n")
    done = counting(monkeypatch)
    rows = stage.preprocess("avspeech", params(project, tmp_path / "raw"))
    assert len(done) == 1 and done[0].startswith("newVideo001") and len(rows) == 6
    [repeat] = [row for row in rows if row.get("code") == "near_duplicate"]  # the same bytes under another name
    assert repeat["value"] == 0.0 and "the same recording as clip" in repeat["detail"]
    assert repeat["source"][:11] in ("newVideo001", NAMES[0])
    stage.preprocess("avspeech", params(project, corpus))
    assert contents(folder / "data") == before


def test_a_mistake_of_ours_is_one_clips_row_and_tried_again(first, project, corpus, monkeypatch):
    folder, _, before = first
    monkeypatch.chdir(folder)
    run = preprocess_workers.GuardedWorker.run
    lost = next(row["clip_id"] for row in first[1] if row["source"].startswith(NAMES[0]))
    broken = {"failed": "error", "detail": "KeyError: 'x'", "traceback": "Traceback: here"}
    monkeypatch.setattr(preprocess_workers.GuardedWorker, "run",
                        lambda self, task: broken if task["key"].startswith(NAMES[0]) else run(self, task))
    for record in folder.glob(".playmate/work/preprocess/*/*/record.json"):
        if any(piece["clip_id"] == lost for piece in json.loads(record.read_text())["pieces"]):
            record.unlink()
    rows = stage.preprocess("avspeech", params(project, corpus))
    assert [row["source"][:11] for row in rows if row.get("code") == "worker_error"] == [NAMES[0]]
    monkeypatch.setattr(preprocess_workers.GuardedWorker, "run", run)
    stage.preprocess("avspeech", params(project, corpus))
    assert contents(folder / "data") == before


def test_a_mistake_of_ours_that_many_clips_meet_ends_the_stage():
    record, good = Answer({}, [], Reason("decode", "worker_error", "KeyError: 'x'")), Answer({}, [])
    stage._check_errors("mead", [record] * 3 + [good] * 5)
    with pytest.raises(RuntimeError, match=r"4 of 9 clips .* KeyError"):
        stage._check_errors("mead", [record] * 4 + [good] * 5)


@pytest.mark.slow
def test_killed_and_restarted_it_goes_on_to_the_same_bytes(first, project, corpus, monkeypatch, tmp_path):
    """SIGKILL once the first clip is done: the second run does the others alone."""
    monkeypatch.chdir(tmp_path)
    chosen = params(project, corpus, ray={"num_cpus": 1})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(chosen.model_dump(mode="json", by_alias=True)))
    stage_process = subprocess.Popen([sys.executable, "-m", "stages.preprocess.stage", "avspeech"],
                                     env={**os.environ, "PYTHONPATH": str(project)})
    while not (records := list(tmp_path.glob(".playmate/work/preprocess/*/*/record.json"))):
        assert stage_process.poll() is None
        time.sleep(0.02)
    stage_process.kill()
    stage_process.wait()
    assert len(records) < 4 and not (tmp_path / "data").exists()
    done = counting(monkeypatch)
    stage.preprocess("avspeech", chosen)
    assert 1 <= len(done) <= 3 and contents(tmp_path / "data") == first[2]


@pytest.mark.slow
def test_a_time_limit_is_a_reject_and_a_larger_one_tries_again(first, project, corpus, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    rows = stage.preprocess("avspeech", params(project, corpus, preprocess={"limits": {"max_decode_s": 0.01}}))
    assert {"timeout"} <= {row["code"] for row in rows}
    done = counting(monkeypatch)
    stage.preprocess("avspeech", params(project, corpus))
    assert len(done) >= 3 and contents(tmp_path / "data") == first[2]


@pytest.mark.ray
@pytest.mark.slow
def test_ray_data_gives_the_same_bytes(ray_session, first, project, corpus, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    stage.preprocess("avspeech", params(project, corpus, preprocess={"ray_min_clips": 0}))
    assert contents(tmp_path / "data") == first[2]


def test_buffalo_l_cuts_by_its_landmarks(project, tmp_path, monkeypatch):
    """A pack of that name with the embedded detector: without landmarks an error, with them faces have outlines."""
    (tmp_path / "det_10g.onnx").symlink_to(weight("scrfd"))
    there = {"silero_vad": weight("silero_vad"), "mobilefacenet": weight("mobilefacenet"), "buffalo_l": tmp_path}
    for module in (stage, components):
        monkeypatch.setattr(module, "weight_path", there.__getitem__)
    chosen = params(project, tmp_path, preprocess={"measure": {"detector": "buffalo_l"}})
    with pytest.raises(WeightsError, match=r"holds no 2d106det\.onnx: unpack buffalo_l\.zip"):
        stage.worker_settings(chosen, chosen.corpora["avspeech"])
    landmark_network(tmp_path / "2d106det.onnx")
    settings = stage.worker_settings(chosen, chosen.corpora["avspeech"])
    [face] = load_worker(settings).detector.detect(pytest.importorskip("skimage.data").astronaut())
    assert face.outline.shape == (106, 2)
    assert WorkFolder.of(settings) != WorkFolder.of(settings | {"landmarks": None})


def test_the_network_of_lip_sync_is_for_the_corpora_that_ask_for_it(project, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "weight_path", lambda name: tmp_path / name)
    chosen = params(project, tmp_path, preprocess={"sync_filter": True})
    asked = {name: stage.worker_settings(chosen, corpus)["sync"] for name, corpus in chosen.corpora.items()}
    assert {name for name, network in asked.items() if network} == {"avspeech", "celebv_text", "acappella"}
    off = params(project, tmp_path)
    assert {stage.worker_settings(off, corpus)["sync"] for corpus in off.corpora.values()} == {None}


def test_a_corpus_that_params_do_not_name(project, tmp_path):
    with pytest.raises(ValueError, match=r"'voxceleb' is not among `corpora` in params\.yaml: avspeech, celebv_text"):
        stage.preprocess("voxceleb", params(project, tmp_path))
