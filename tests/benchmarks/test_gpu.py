"""The one command for a GPU, at toy size on a CPU: it measures every part and writes its rows."""

from __future__ import annotations

import sys

import pytest

from benchmarks import gpu


@pytest.mark.slow
def test_every_part_is_measured(project, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "argv", ["gpu", "--toy", "--out", str(tmp_path / "rows.md")])
    gpu.main()
    rows = [line.split(" | ") for line in (tmp_path / "rows.md").read_text().splitlines() if line.startswith("| ")][1:]
    measured = {row[0].removeprefix("| ") for row in rows}
    assert measured >= {"train_audio", "train_emotion", "face_space.tune", "extract, motion", "extract, speech",
                        *(f"LivePortrait's {part}" for part in "FMWG"), "render", "sample", "judge, FVD"}
    assert all(float(row[2]) > 0 for row in rows)
    assert "windows a second" in capsys.readouterr().out  # the feed


def test_what_has_no_room_or_no_time_is_named():
    def full():
        raise gpu.torch.cuda.OutOfMemoryError("no room")

    bench = gpu.Bench("cpu", gpu.SMALL, 0.0)
    assert str(bench.row("render", "batch 512", full, 1, "frames/s")) == "| render | batch 512 | does not fit | | |"
    [line] = gpu.measured(bench)
    assert line.startswith("| no time was left for all of: training_steps, tuning_steps, extraction, rendering")
