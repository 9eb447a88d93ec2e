"""Rows through Parquet and back: the columns, their order and their types are those of files that users have."""

from __future__ import annotations

from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from evaluation.metrics.emotion import Change, EmotionRow
from evaluation.results.files import (
    read_clips,
    read_csv,
    read_emotions,
    write_clips,
    write_csv,
    write_emotions,
    write_rows,
)
from evaluation.results.records import record_of, repeat_record, row_of
from evaluation.results.rows import FAILED, GridLine, LostClip, MeasuredClip, Repeat, VariantLine
from tests.evaluation.fakes import emotion_film, measured_clip

LOST = LostClip("x", FAILED, "face_not_found", "no face")


def columns(path) -> list[tuple[str, str]]:
    return [(field.name, str(field.type)) for field in pq.read_schema(path)]


def test_clips_come_back_and_stand_in_the_columns_that_they_always_had(tmp_path):
    rows = [measured_clip("a", sync_c=0.5, mouth_r=0.25, frames_without_face=0), measured_clip("b", mouth_r=None), LOST]
    write_clips(tmp_path, rows)
    assert columns(tmp_path / "clips.parquet") == [
        ("clip_id", "string"), ("corpus", "string"), ("frames", "int64"), ("frames_without_face", "int64"),
        ("identity", "string"), ("mouth_r", "double"), ("seed", "int64"), ("sync_c", "double"),
        ("wrong_clip_id", "string"), ("status", "string"), ("code", "string"), ("detail", "string")]
    nothing = {"sync_c": None, "frames_without_face": None, "mouth_r": None}
    assert read_clips(tmp_path) == [rows[0], replace(rows[1], numbers=nothing), LOST]


def test_pairs_have_their_own_columns_and_a_stage_where_they_are_lost(tmp_path):
    row = MeasuredClip(clip_id="a", identity="", frames=40, frames_generated=40, frames_reference=60, has_sound=False,
                       numbers={"yaw_range_deg": 2.5, "mouth_r_other_video": 0.125})
    lost = replace(LOST, stage="pair")
    write_clips(tmp_path, [row, lost])
    assert columns(tmp_path / "clips.parquet") == [
        ("clip_id", "string"), ("frames", "int64"), ("frames_generated", "int64"), ("frames_reference", "int64"),
        ("has_sound", "bool"), ("identity", "string"), ("yaw_range_deg", "double"), ("mouth_r_other_video", "double"),
        ("status", "string"), ("stage", "string"), ("code", "string"), ("detail", "string")]
    assert read_clips(tmp_path) == [row, lost]


@pytest.mark.parametrize(("stage", "names"), [(None, ["clip_id", "status", "code", "detail"]),
                                              ("pair", ["clip_id", "stage", "code", "detail", "status"])])
def test_where_all_are_lost_their_columns_alone_are_there(tmp_path, stage, names):
    write_clips(tmp_path, [replace(LOST, stage=stage)])
    assert [name for name, _ in columns(tmp_path / "clips.parquet")] == names
    assert read_clips(tmp_path) == [replace(LOST, stage=stage)]


def test_a_file_from_before_there_was_a_status_is_read(tmp_path):
    write_rows(tmp_path / "clips.parquet", [{"clip_id": "a", "identity": "p", "frames": 9, "mouth_r": 0.5}])
    assert read_clips(tmp_path) == [MeasuredClip(clip_id="a", identity="p", frames=9, numbers={"mouth_r": 0.5})]


def test_a_table_of_something_else_is_refused_by_name_and_text_is_no_number(tmp_path):
    write_rows(tmp_path / "clips.parquet", [{"clip_id": "a", "status": "measured"}])
    with pytest.raises(ValueError, match=r"no MeasuredClip: .*'identity'"):
        read_clips(tmp_path)
    write_rows(tmp_path / "clips.parquet", [{"clip_id": "a", "identity": "p", "frames": 9, "mouth_r": "high"}])
    assert read_clips(tmp_path) == [MeasuredClip(clip_id="a", identity="p", frames=9, numbers={})]


FILM = ["clip_id", "corner_height", "corpus", "emotion", "eye_opening", "frames", "identity"]
JUDGED = ["logp_happy", "logp_neutral", "logp_sad", "mouth_opening", "p_happy", "p_neutral", "p_sad"]


def test_emotion_films_come_back_and_stand_in_the_columns_that_they_always_had(tmp_path):
    film = replace(emotion_film("happy", (0.5, 0.25, 0.25)), pose_sha256="00", log_probabilities={
        "happy": -0.5, "neutral": -1.5, "sad": -1.5})
    true = EmotionRow(replace(film, pose_sha256=None), None, None)
    rows = [EmotionRow(film, "happy", 0.5, Change(0.5, 0.25, 0.125, 0.0, -0.25)),
            EmotionRow(replace(film, emotion="contempt"), "sad", None, Change(None, None, 0.0, 0.0, 0.0)), true]
    write_emotions(tmp_path, rows)
    assert [name for name, _ in columns(tmp_path / "emotions.parquet")] == [
        "video", "brow_height", *FILM, *JUDGED, "pose_sha256", "seen", "probability", "probability_neutral",
        "brow_shift", "corner_shift", "eye_shift", "seen_shift", "shift"]
    assert read_emotions(tmp_path) == rows
    write_emotions(tmp_path, [true])
    assert [name for name, _ in columns(tmp_path / "emotions.parquet")] == [
        "video", "brow_height", *FILM, *JUDGED, "seen", "seen_shift", "shift"]
    assert read_emotions(tmp_path) == [true]


def test_without_a_classifier_an_emotion_film_has_no_labels(tmp_path):
    row = EmotionRow(emotion_film("happy"), None, None, Change(None, None, 0.125, 0.0, 0.5))
    write_emotions(tmp_path, [row])
    assert [name for name, _ in columns(tmp_path / "emotions.parquet")][:10] == [
        "video", "brow_height", *FILM, "mouth_opening"]
    assert read_emotions(tmp_path) == [row]


@pytest.mark.parametrize(("row", "names"), [
    (GridLine(1.5, None, {"mouth_r": 0.5, "fid": None}, 3), ["w_a", "w_e", "mouth_r", "fid", "clips"]),
    (VariantLine("noise_off", "a.b: 0", {"mouth_r": 0.5}, 3), ["model", "switch", "mouth_r", "clips"])], ids=str)
def test_lines_of_the_ablation_come_back(tmp_path, row, names):
    write_csv(tmp_path / "lines.csv", [record_of(row)])
    [record] = read_csv(tmp_path / "lines.csv")
    assert list(record) == names and row_of(type(row), record) == row


def test_repeats_come_back_and_stand_in_the_order_of_their_names(tmp_path):
    row = Repeat("in use", 2, 10.5, 10.25, {"yaw_jitter_deg": 0.5, "expression_error": 0.75})
    write_csv(tmp_path / "long.csv", [repeat_record(row)])
    [record] = read_csv(tmp_path / "long.csv")
    assert list(record) == ["model", "expression_error", "repeat", "seconds", "start_s", "yaw_jitter_deg"]
    assert row_of(Repeat, record) == row
