"""Other people's videos: pairing by name, and one pair measured with a face whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.jobs.clip import JobSettings
from evaluation.jobs.pair import PairJob, PairParts, find_pairs, other_video_r
from evaluation.report.published import table_1
from evaluation.report.text import markdown_table
from tests.evaluation.fakes import fake_parts, picture

SETTINGS = JobSettings(samples=1, frame_stride=2, control_stride=2, max_lag_frames=2, panel_px=64, crf=20,
                       emo_a="mean_logits")


def touch(folder, *names):
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


def test_pairs_are_found_by_name_and_the_rest_is_named(tmp_path):
    made = touch(tmp_path / "made", "b.mp4", "a.MP4", "only.mp4", "notes.txt")
    true = touch(tmp_path / "true", "a.mov", "b.mp4", "left.mkv")
    found = find_pairs(made, true)
    assert [(job.name, job.generated.rpartition("/")[2], job.reference.rpartition("/")[2]) for job in found.jobs] == [
        ("a", "a.MP4", "a.mov"), ("b", "b.mp4", "b.mp4")]
    assert found.unpaired == [("generated", "only.mp4"), ("reference", "left.mkv")]


def test_folders_that_cannot_be_used_say_why(tmp_path):
    made, true = touch(tmp_path / "made", "a.mp4", "a.mov"), touch(tmp_path / "true", "a.mp4")
    with pytest.raises(ValueError, match="several videos are called a"):
        find_pairs(made, true)
    with pytest.raises(ValueError, match="no video of"):
        find_pairs(true, touch(tmp_path / "other", "b.mp4"))
    with pytest.raises(FileNotFoundError, match="no folder"):
        find_pairs(tmp_path / "absent", true)


def test_a_pair_is_cut_to_the_shorter_and_measured(tmp_path):
    mouth = np.clip(0.5 + 0.4 * np.sin(np.arange(60) ** 1.3), 0, 1)
    frames = np.stack([picture(value) for value in mouth])
    videos = {"m.mp4": (frames[:50], None), "t.mp4": (frames, np.zeros(60 * 640, np.float32))}
    parts = PairParts(fake_parts().judges, lambda path: videos[path.name])
    result = PairJob("x", "m.mp4", "t.mp4").run(parts, SETTINGS, tmp_path)
    row, found = result.row, result.row.numbers
    assert (row.frames, row.frames_generated, row.frames_reference, row.has_sound) == (50, 50, 60, True)
    assert found["mouth_r"] == pytest.approx(1) and found["lpips_alexnet"] == 0
    assert found["csim_mobilefacenet_same_time"] == pytest.approx(1) and "sync_c" not in found
    assert found["yaw_range_deg"] == found["yaw_range_deg_reference"] == pytest.approx(0, abs=1e-4)
    assert found["lip_error_seen"] == pytest.approx(0, abs=1e-4) and found["beat_alignment_reference"] is None
    assert result.arrays["fd_efficientnet_lite0.true"].shape[0] == 25


def test_another_videos_mouth_is_chance():
    mouth = np.sin(np.arange(40) ** 1.3)
    assert other_video_r(mouth, mouth[:30], 2) == pytest.approx(1)
    assert abs(other_video_r(mouth, np.cos(np.arange(60) ** 1.7), 2)) < 0.6
    gap = np.where(np.arange(40) == 7, np.nan, mouth)
    assert other_video_r(gap, mouth, 2) > 0.9
    assert other_video_r(mouth, mouth[:4], 2) is None and other_video_r(mouth, np.full(40, np.nan), 2) is None


def test_table_1_fills_only_what_the_published_network_gave():
    from evaluation.metrics.bootstrap import Interval

    table = table_1({"lpips_alexnet": Interval(0.1, None, None, 1), "fd_efficientnet_lite0": Interval(9, 8, 10, 4)},
                    "ours", "ours")
    assert table[0].values == (None, None, None, None, None, 0.1)
    playmate = next(row for row in table if row.method == "Playmate" and row.test_set == "HDTF")
    assert playmate.mark == "published" and playmate.values == (19.138, 231.048, 8.580, 6.985, 0.848, 0.099)


def test_cells_cannot_break_a_markdown_table():
    assert markdown_table(["a"], [["x|y\n<b>"]]) == "| a |\n| --- |\n| x\\|y &lt;b> |\n"
