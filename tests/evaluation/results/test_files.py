from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from evaluation.metrics.bootstrap import Interval
from evaluation.results.files import (
    CurveFiles,
    Failure,
    Result,
    Summary,
    read_csv,
    read_rows,
    read_summary,
    round_floats,
    write_csv,
    write_rows,
    write_summary,
)
from tests.evaluation.fakes import measured_clip


def test_summary_round_trip_and_flat_numbers(tmp_path):
    summary = Summary({"mouth_r": Interval(0.123456789, 0.1, 0.2, 3), "one": Interval(1.0, None, None, 1)},
                      {"seed": 1}, 3, [Failure("x", "clip", "face_not_found", "in 1 of 9 frames")], {"pose": True})
    write_summary(tmp_path, summary)
    assert read_summary(tmp_path).metrics["mouth_r"] == Interval(0.123457, 0.1, 0.2, 3)
    flat = json.loads((tmp_path / "metrics.json").read_text())
    assert flat == {"mouth_r": 0.123457, "one": 1.0, "clips": 3, "failed_videos": 1, "pose": 1}
    before = (tmp_path / "summary.json").read_bytes()
    write_summary(tmp_path, summary)
    assert (tmp_path / "summary.json").read_bytes() == before


def test_another_version_is_refused(tmp_path):
    (tmp_path / "summary.json").write_text('{"version": 99}')
    with pytest.raises(ValueError, match="version 99"):
        read_summary(tmp_path)


def test_rows_and_curves_round_trip(tmp_path):
    rows = [{"clip_id": "a", "r": 0.5}, {"clip_id": "b", "code": "lost"}]
    write_rows(tmp_path / "rows.parquet", rows)
    assert read_rows(tmp_path / "rows.parquet") == [{"clip_id": "a", "r": 0.5, "code": None},
                                                    {"clip_id": "b", "r": None, "code": "lost"}]
    write_csv(tmp_path / "c.csv", [{"clip_id": "00e1", "x": 1.0}, {"clip_id": "b,\"", "x": None}])
    assert read_csv(tmp_path / "c.csv") == [{"clip_id": "00e1", "x": 1.0}, {"clip_id": "b,\"", "x": None}]


def test_rounding_keeps_six_digits_and_drops_what_json_cannot_say():
    assert round_floats({"a": [1.23456789e-9, float("nan")], "b": 3, "c": True}) == {
        "a": [1.23457e-9, None], "b": 3, "c": True}


def test_curves_are_written_as_they_come_and_the_first_one_apart(tmp_path):
    """Six digits, an empty cell without a face, no third curve where it was not made."""
    curves = CurveFiles(tmp_path)
    for name, made in (("a", [0.12345678, np.nan]), ("00e1", [0.5, 0.25])):
        row = replace(measured_clip(name), frames=2)
        curves.add(Result((row,), {"reference": np.ones(2), "generated": np.array(made)}, {}))
        assert not (tmp_path / "mouth_curves.csv").exists()
    curves.close()
    assert (tmp_path / "mouth_curve.csv").read_text() == (
        "clip_id,frame,reference,generated,wrong_speech\n\"a\",0,1,0.123457,\n\"a\",1,1,,\n")
    rows = read_csv(tmp_path / "mouth_curves.csv")
    assert [(row["clip_id"], row["frame"], row["generated"]) for row in rows] == [
        ("a", 0, 0.123457), ("a", 1, None), ("00e1", 0, 0.5), ("00e1", 1, 0.25)]


def test_an_evaluation_without_clips_leaves_heads_alone(tmp_path):
    CurveFiles(tmp_path).close()
    assert read_csv(tmp_path / "mouth_curves.csv") == read_csv(tmp_path / "mouth_curve.csv") == []
