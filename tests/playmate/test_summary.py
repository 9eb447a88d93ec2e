from __future__ import annotations

import io

import pytest
from rich.console import Console

from pipeline.core import paths
from pipeline.core.atomic import write_json, write_text
from pipeline.core.clip_table import write_clip_table
from playmate.summary import print_summary


def printed(root) -> str:
    console = Console(file=io.StringIO(), width=200)
    print_summary(root, console)
    return console.file.getvalue()


def test_an_empty_project_names_every_stage(tmp_path):
    text = printed(tmp_path)
    for stage in ("preprocess", "extract", "train_audio", "evaluate", "register", "report"):
        assert f"dvc repro {stage}" in text


def test_what_is_there_is_shown(tmp_path):
    row = {"clip_id": "a", "corpus": "mead", "identity": "mead/M003", "status": "kept", "frames": 3000}
    reject = {"status": "rejected", "stage": "face", "code": "no_face", "detail": "x"}
    rejects = [{"clip_id": f"r{i}", **reject} for i in range(2)]
    write_clip_table(tmp_path / paths.CROPS / "mead" / "clips.parquet", [row, *rejects])
    shard = {"family": "motion", "rows": 1, "frames": 3000, "bytes": 2_500_000}
    write_json(tmp_path / paths.FEATURES / "mead" / "manifest.json",
               {"shards": [shard, {**shard, "family": "speech"}], "rejects": []})
    write_json(tmp_path / paths.AUDIO_MODEL / "metrics.json", {"steps": 300, "loss_first": 2.0, "loss_last": 0.51239})
    write_json(tmp_path / paths.EVALUATION / "metrics.json", {"mouth_r": 0.9123, "lpips_alexnet": None})
    gate = {"passed": True, "reason": "mouth_r 0.9123 >= 0.3"}
    row = {"version": "4", "champion": True, "gates": {"mouth_r": gate}}
    write_json(tmp_path / paths.REGISTRATION, {"playmate": row})
    write_text(tmp_path / paths.REPORTS / "index.html", "<html>")
    text = printed(tmp_path)
    for part in ("2 face: no_face", "2.0", "5.0", "0.5124", "0.9123", "mouth_r 0.9123 >= 0.3", "index.html"):
        assert part in text
    assert "LPIPS" not in text and "dvc repro" not in text


@pytest.mark.parametrize("name", [paths.REGISTRATION, paths.AUDIO_MODEL / "metrics.json"])
def test_one_missing_part_does_not_hide_the_others(tmp_path, name):
    write_json(tmp_path / paths.EVALUATION / "metrics.json", {"mouth_r": 0.5})
    assert "0.5" in printed(tmp_path) and str(name) in printed(tmp_path)
