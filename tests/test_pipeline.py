"""The whole pipeline at toy size in a fresh folder: `dvc repro` twice, push and pull, and a talking portrait."""

from __future__ import annotations

import json
import re
import shutil
import time

import pytest

from tests.toy_project import run

pytestmark = pytest.mark.e2e


def test_every_stage_left_what_it_promises(toy_run):
    for name in ("data/split/split.json", "data/models/emotion/metrics.json", "data/evaluation/metrics.json",
                 "data/registration.json", "reports/index.html", "dvc.lock"):
        assert (toy_run / name).stat().st_size > 0, name


def test_every_clip_seen_is_kept_or_has_a_reason(toy_run):
    from pipeline.core.clip_table import read_clip_table

    rows = [row for path in sorted(toy_run.glob("data/crops/*/clips.parquet")) for row in read_clip_table(path)]
    kept = [row for row in rows if row["status"] == "kept"]
    assert len(kept) >= 6
    assert all(row["code"] and row["detail"] and row["stage"] for row in rows if row["status"] == "rejected")


def test_a_second_repro_looks_at_raw_folders_and_does_nothing(toy_run):
    before = (toy_run / "dvc.lock").read_bytes()
    start = time.monotonic()
    output = run(toy_run, "dvc", "repro")
    print(f"second dvc repro: {time.monotonic() - start:.1f} s")
    assert re.findall(r"Running stage '(.*)'", output) == ["outputs", "sources"]
    assert (toy_run / "dvc.lock").read_bytes() == before


def test_outputs_come_back_from_a_remote(toy_run, tmp_path):
    run(toy_run, "dvc", "remote", "add", "-f", "-d", "local", str(tmp_path / "remote"))
    run(toy_run, "dvc", "push")
    shutil.rmtree(toy_run / "data/statistics")
    shutil.rmtree(toy_run / ".dvc/cache")
    run(toy_run, "dvc", "pull")
    assert any((toy_run / "data/statistics").iterdir())


def test_metrics_and_plots_are_declared(toy_run):
    assert "data/evaluation/metrics.json" in run(toy_run, "dvc", "metrics", "show", "--json")
    run(toy_run, "dvc", "plots", "show")
    assert (toy_run / "dvc_plots/index.html").exists()


def test_the_registered_model_animates_a_portrait(toy_run, tmp_path):
    import av
    from PIL import Image
    from skimage.data import astronaut

    Image.fromarray(astronaut()).save(tmp_path / "face.jpg")
    speech = next(toy_run.glob("data/crops/hdtf/*.wav"))
    out = tmp_path / "out.mp4"
    run(toy_run, "playmate", "animate", "--portrait", str(tmp_path / "face.jpg"), "--speech", str(speech),
        "--emotion", "happy", "-o", str(out))
    with av.open(str(out)) as media:
        video, sound = media.streams.video[0], media.streams.audio[0]
        assert (video.width, video.height, video.average_rate) == (512, 512, 25)
        assert abs(float(video.duration * video.time_base) - float(sound.duration * sound.time_base)) < 0.1


def test_lineage_leads_back_to_the_data(toy_run):
    registered = json.loads((toy_run / "data/registration.json").read_text())
    assert registered
    output = run(toy_run, "playmate", "lineage", "playmate")
    assert "params" in output
