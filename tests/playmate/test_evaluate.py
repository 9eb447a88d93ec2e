"""`playmate evaluate` on made-up videos: reading through the guarded process, rows for what fails, the same bytes."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from evaluation.jobs import pair, workers
from evaluation.jobs.pair import PairParts
from evaluation.jobs.reading import Reading, UnreadableVideo, VideoReader, VideoWorker
from evaluation.jobs.workers import Worker
from evaluation.results import compare as results_compare
from evaluation.results.files import read_rows, read_summary
from pipeline.core.config import load_params
from pipeline.media.film import write_video
from playmate import evaluate as evaluate_pairs
from tests.evaluation.fakes import fake_parts, picture

READING = Reading(25, max_frames=40, side_px=512, max_side_px=4320, max_source_s=100.0, limit_s=60.0, memory_gb=2.0)


@pytest.fixture
def films(tmp_path):
    """a: 50 frames/s, with sound; b: no film at all; c: only generated."""
    mouth = np.clip(0.5 + 0.4 * np.sin(np.arange(120) ** 1.2), 0, 1)
    sound = np.random.default_rng(0).normal(0, 0.1, 38400).astype(np.float32)
    for side in ("made", "true"):
        write_video(tmp_path / side / "a.mp4", (picture(value) for value in mouth), 50, sound, crf=1)
        (tmp_path / side / "b.mp4").write_bytes(b"no film")
    (tmp_path / "made" / "c.mp4").write_bytes(b"")
    return tmp_path


def test_a_film_is_read_at_25_fps_and_cut(films):
    VideoWorker(READING)({"media": str(films / "made/a.mp4"), "folder": str(films)})
    frames, sound = np.load(films / "frames.npy"), np.load(films / "sound.npy")
    assert frames.shape == (40, 64, 64, 3) and len(sound) == 40 * 640
    small = VideoWorker(replace(READING, side_px=32, max_frames=3))
    small({"media": str(films / "made/a.mp4"), "folder": str(films)})
    assert np.load(films / "frames.npy").shape == (3, 32, 32, 3)


@pytest.mark.slow
def test_a_broken_film_is_refused_by_the_guarded_process(films):
    reader = VideoReader(READING)
    try:
        with pytest.raises(UnreadableVideo, match=r"b\.mp4: probe, unreadable"):
            reader(films / "made/b.mp4")
        frames, sound = reader(films / "made/a.mp4")
        assert len(frames) == 40 and len(sound) == 25600
    finally:
        reader.close()


def test_rows_for_all_and_the_same_bytes_twice(films, project, monkeypatch):
    params = load_params(project / "params.yaml")
    section = params.evaluate.model_copy(update={"bootstrap": 20, "max_duration_s": 1.6})
    worker, computed = VideoWorker(READING), []

    def read(path):
        answer = worker({"media": str(path), "folder": str(films)})
        if "reject" in answer:
            raise UnreadableVideo(answer["reject"])
        return np.load(films / "frames.npy"), np.load(films / "sound.npy")

    def run_here(tasks, make, count, ray, **told):
        for task in tasks:
            computed.append(task)
            yield task, Worker(make.args[0], parts=PairParts(fake_parts().judges, read))(task)

    judged = params.model_copy(update={"evaluate": section})
    monkeypatch.setattr(evaluate_pairs, "own_or_packaged_params", lambda: judged)
    monkeypatch.setattr(workers, "run", run_here)
    for module in (pair, results_compare):
        monkeypatch.setattr(module, "judge_weights", lambda metrics: {"lpips_alexnet": "0"})
    monkeypatch.chdir(films)
    said: list[str] = []
    run = SimpleNamespace(go=lambda out, seconds=None: evaluate_pairs.evaluate_folders(
        films / "made", films / "true", films / out, said.append, seconds))
    run.go("out")
    rows = {row["clip_id"]: row for row in read_rows(films / "out/clips.parquet")}
    assert [rows[name]["status"] for name in "abc"] == ["measured", "failed", "unpaired"]
    assert rows["b"]["code"] == "UnreadableVideo" and rows["a"]["mouth_r"] == pytest.approx(1)
    summary = read_summary(films / "out")
    assert summary.clips == 1 and len(summary.failures) == 2 and summary.protocol["unpaired"] == 1
    text = (films / "out/report.md").read_text()
    assert "| HDTF | Playmate | published | 19.138 | 231.048 | 8.580 | 6.985 | 0.848 | 0.099 |" in text  # every digit
    count = len(computed)
    run.go("again")
    assert len(computed) == count + 1  # the broken pair alone is tried again
    for path in (films / "out").iterdir():
        assert path.read_bytes() == (films / "again" / path.name).read_bytes(), path.name
    alone = "evaluate: of 1 pairs the first 1.6 s alone are judged; --seconds N judges more"   # of 2.4 s
    assert alone in said
    said.clear()
    run.go("longer", 3.0)   # this test's reader gives 1.6 s
    assert said and not any("alone are judged" in line for line in said)
    for seconds in (0, 1e6):
        with pytest.raises(ValueError, match=r"--seconds .*: a length above 0"):
            run.go("none", seconds)
