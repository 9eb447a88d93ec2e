"""`playmate plan` says beforehand exactly what extraction then computes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_store.units import write_quarantine
from pipeline.storage import open_storage
from playmate.plan import extraction as module
from playmate.plan import extraction as raw_clips
from playmate.plan.extraction import ForecastError, as_table, forecast, in_words
from stages.extract import progress as rates
from stages.extract import stage as extract
from stages.extract.plan import kept_clips, limits_of
from stages.extract.progress import Rates
from stages.preprocess.readers import ClipRow, RejectRow
from tests.stages.extract import made
from tests.stages.extract.made import FRAMES, PRINTS

MOTION_NEW, SPEECH_NEW = PRINTS | {"motion": "n" * 32}, PRINTS | {"speech": "t" * 32}


@pytest.fixture
def prints(monkeypatch, computed):
    """Set the fingerprints that plan and extraction see."""
    def use(found: dict[str, str]) -> None:
        monkeypatch.setattr(extract, "fingerprints", lambda _: found)
        monkeypatch.setattr(module, "motion_fingerprint", lambda _: found["motion"])
        monkeypatch.setattr(module, "speech_fingerprint", lambda _: found["speech"])

    use(PRINTS)
    return use


def as_planned(params, computed) -> dict[str, int]:
    """Plan, extract, compare; what was computed of each family."""
    found = forecast(params)
    computed.clear()
    for corpus in {line.corpus for line in found.lines}:
        extract.main(corpus, lambda _: None)
    done = Counter(line.split()[1] for line in computed)
    for family in PRINTS:
        assert sum(line.clips for line in found.lines if line.family == family) == done[family]
        assert found.frames(family) == done[family] * FRAMES
    again = forecast(params)
    assert again.seconds == 0.0 and all(line.clips == 0 for line in again.lines)
    return dict(done)


def test_everything_then_nothing_then_what_changed(params, computed, prints):
    made.write_corpus("avspeech", ["good"] * 3)
    made.write_corpus("mead", ["good"])
    assert as_planned(params, computed) == {"motion": 4, "speech": 4}
    assert as_planned(params, computed) == {}
    made.write_corpus("avspeech", ["good"] * 4)  # one more clip
    assert as_planned(params, computed) == {"motion": 1, "speech": 1}
    prints(SPEECH_NEW)  # another layer or encoder
    assert as_planned(params, computed) == {"speech": 5}
    prints(MOTION_NEW | {"speech": "t" * 32})  # another face space
    assert as_planned(params, computed) == {"motion": 5}
    prints(MOTION_NEW)  # back to the first encoder: its units are still there
    assert as_planned(params, computed) == {}


def test_a_clip_that_was_given_up_is_neither_computed_nor_reused(params, computed, prints):
    made.write_corpus("avspeech", ["good", "faceless"])
    extract.main("avspeech", lambda _: None)
    assert {(line.clips, line.reused_clips, line.given_up) for line in forecast(params).lines} == {(0, 1, 1)}


def test_a_corpus_that_is_not_preprocessed_is_named(params, prints):
    made.write_corpus("avspeech", ["good"])
    found = forecast(params)
    assert found.not_preprocessed == ["mead"]
    assert any("mead: not preprocessed" in line for line in in_words(found, params, None))


def test_a_corpus_that_nobody_named_is_refused(params, prints):
    with pytest.raises(ForecastError, match=r"nosuch: not among `corpora`.*avspeech, mead"):
        forecast(params, ["nosuch"])


def test_raw_clips_that_were_never_preprocessed_are_counted(params, prints, monkeypatch):
    made.write_corpus("avspeech", ["good"])
    rows = [ClipRow("avspeech", name, f"{name}.mp4", "avspeech/x") for name in ("old", "new", "newer")]
    monkeypatch.setattr(raw_clips, "open_raw", lambda name, location: SimpleNamespace(folder=name))
    rows.append(RejectRow("avspeech", "x", "x.mp4", "view", ""))
    monkeypatch.setattr(raw_clips, "read_folder", lambda reader, folder: rows)
    table = pa.table({"source": ["old.mp4", None]})
    pq.write_table(table, "clips.parquet")
    assert raw_clips.new_raw_clips("avspeech", params.corpora["avspeech"], Path("clips.parquet")) == 2
    note = forecast(params, ["avspeech"]).notes[0]
    assert "avspeech: 3 more raw clips wait for `dvc repro preprocess@avspeech`" in note


def test_without_raw_folders_crops_alone_are_planned(params, tmp_path):
    assert raw_clips.new_raw_clips("avspeech", params.corpora["avspeech"], tmp_path / "clips.parquet") == 0


def test_time_and_cost_by_hand(params, prints):
    """12 frames at 2 s of motion and 1 s of speech, after 4 s: in one process 40 s, in two 22 s; 22 at 3600 an hour."""
    made.write_corpus("avspeech", ["good"] * 2)
    found = forecast(params)
    assert found.seconds is None and "time unknown" in in_words(found, params, 1.0)[-1]
    measured = Rates()
    measured.add({"seconds": json.dumps({"motion": [PRINTS["motion"], 10, 20.0]})}, 24.0)
    measured.add({"seconds": json.dumps({"speech": ["other", 5, 5.0]})}, 99.0)
    measured.save()
    assert forecast(params).seconds == pytest.approx(12 * 2 + 12 * 1 + 4)  # fewer clips than are work for Ray
    params = params.model_copy(update={"extract": params.extract.model_copy(update={"ray_min_clips": 2})})
    found = forecast(params)
    assert found.seconds == pytest.approx(12 * 2 / 2 + 12 * 1 / 2 + 4) and found.cost(3600) == pytest.approx(22)
    assert "about 22 s in 2 processes, 22 at 3600 an hour" in in_words(found, params, 3600)[-1]
    assert found.notes == ["speech: the rate was measured with other code, weights or parameters"]
    assert as_table(found).row_count == 2


def test_a_later_run_of_one_family_keeps_the_other_rate(params):
    for family, seconds in (("motion", 4.0), ("speech", 1.0), ("motion", 8.0)):
        measured = Rates()
        measured.add({"seconds": json.dumps({family: ["f", 2, seconds]})}, 9.0)
        measured.save()
    assert {name: rate.per_frame_s for name, rate in rates.read_rates().items()} == {"motion": 4.0, "speech": 0.5}


def test_without_a_face_space_all_motion_is_to_be_computed(params, monkeypatch):
    made.write_corpus("avspeech", ["good"])
    monkeypatch.setattr(module, "speech_fingerprint", lambda _: PRINTS["speech"])
    found = forecast(params)  # data/face_space is not there
    assert found.frames("motion") == FRAMES and "face_space" in found.notes[0]


def test_quarantined_clips_count_as_given_up_until_the_limits_change(params, prints):
    made.write_corpus("avspeech", ["good"])
    (clip,) = kept_clips("avspeech", PRINTS)
    storage = open_storage(".playmate/store")
    write_quarantine(storage, clip.keys["motion"].quarantine, made.crashed(clip.clip_id), limits_of(params))
    assert {line.given_up for line in forecast(params).lines} == {1}
    larger = params.model_copy(update={"extract": params.extract.model_copy(update={"max_clip_s": 99.0})})
    assert {(line.given_up, line.clips) for line in forecast(larger).lines} == {(0, 1)}
