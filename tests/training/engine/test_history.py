import csv
import json

import pytest

from training.engine.history import write_history

ROWS = [{"step": 1, "loss": 2.0, "loss_expression": 1.0, "loss_pose": 1.0, "lr": 1e-4},
        {"step": 10, "loss": 0.5, "loss_expression": 0.25, "loss_pose": 0.25, "lr": 1e-3, "validation_loss": 0.75},
        {"step": 20, "loss": 0.4, "loss_expression": 0.2, "loss_pose": 0.2, "lr": 1e-3, "validation_loss": 0.8}]


def test_curve_has_a_row_a_logged_step_and_metrics_its_ends(tmp_path):
    write_history(tmp_path, ROWS, {"stage": "audio"})
    with (tmp_path / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "10", "20"]
    assert rows[0]["validation_loss"] == "" and float(rows[1]["validation_loss"]) == 0.75
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["loss_first"] == 2.0 and metrics["loss_last"] == 0.4 and metrics["steps"] == 20
    assert metrics["learned"] == pytest.approx(0.8)
    assert metrics["validation_best"] == 0.75 and metrics["validation_loss"] == 0.8


def test_no_time_is_written(tmp_path):
    write_history(tmp_path / "a", ROWS, {})
    write_history(tmp_path / "b", ROWS, {})
    for name in ("curve.csv", "metrics.json"):
        text = (tmp_path / "a" / name).read_text()
        assert text == (tmp_path / "b" / name).read_text() and "second" not in text
