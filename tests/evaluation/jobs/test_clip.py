"""A clip and an emotion through generation, rendering, files and measures, with a face whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation.jobs.clip import FPS, RATE_HZ, Clip, ClipJob, JobSettings, tile
from evaluation.jobs.emotion import EmotionJob, TrueEmotionJob
from evaluation.jobs.saved import fresh_folder, has_result, load_result, remove_others, save_result
from evaluation.jobs.shown import POSES, DialJob, PoseJob, SeedJob, write_grid
from evaluation.metrics.emotion import emotion_metrics, emotion_rows
from evaluation.metrics.lip_sync import fit_speech_to_mouth
from evaluation.results.rows import MeasuredClip
from evaluation.results.summary import ClipSummary, other_person_csim, pose_is_identical
from pipeline.media.crops import read_crop, write_wav
from pipeline.media.film import write_video
from tests.evaluation.fakes import SIDE, fake_parts, motion_of, picture, rest_keypoints

FRAMES = 80
SETTINGS = JobSettings(samples=2, frame_stride=5, control_stride=2, max_lag_frames=2, panel_px=64, crf=20,
                       emo_a="mean_logits")


def mouth(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=FRAMES + 4)
    return np.clip(0.4 + 0.4 * np.convolve(noise, np.ones(5) / 5, mode="valid"), 0.05, 0.95)


def speech(seed: int) -> np.ndarray:
    return np.stack([mouth(seed), np.random.default_rng(seed).normal(size=FRAMES)], 1).astype(np.float32)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Clip:
    folder = tmp_path_factory.mktemp("crops")
    write_video(folder / "aa.mp4", (picture(value) for value in mouth(0)), FPS, crf=1)
    write_wav(folder / "aa.wav", np.random.default_rng(0).normal(0, 0.1, FRAMES * RATE_HZ // FPS).astype(np.float32))
    return Clip("aa", "hdtf", "hdtf/p1", str(folder / "aa.mp4"), rest_keypoints(), motion_of(mouth(0)), speech(0), 7)


@pytest.fixture(scope="module")
def sync():
    return fit_speech_to_mouth([(speech(seed), mouth(seed)) for seed in range(3, 8)], 1e-4)


@pytest.fixture(scope="module")
def result(clip, sync, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    return ClipJob(clip, speech(1), "bb").run(replace(fake_parts(), sync=sync), SETTINGS, folder), folder


def test_the_right_speech_is_told_from_the_wrong_one(result):
    found = result[0].row.numbers
    assert found["mouth_r"] > 0.97 and found["mouth_lag_frames"] == 0
    assert found["mouth_r_wrong_speech"] < 0.5
    assert found["mouth_sync_c"] > 0.5 and found["mouth_sync_offset_frames"] == 0
    assert found["mouth_sync_c_wrong_speech"] < found["mouth_sync_c"]
    assert found["csim_mobilefacenet"] == pytest.approx(1) and found["face_found_share"] == 1
    assert found["lip_vertex_error"] < 0.05 and found["diversity"] > 0
    assert found["lip_vertex_error_wrong_speech"] > 3 * found["lip_vertex_error"]


def test_generated_motion_stands_beside_the_true_one(result, clip):
    found = result[0].row.numbers
    assert found["yaw_range_deg_reference"] == 0 and found["yaw_range_deg"] > 1  # the true head of the fixture is still
    assert found["yaw_jitter_deg_reference"] == 0 and found["blinks_per_min_reference"] == found["blinks_per_min"]
    assert found["beat_alignment_reference"] is None  # a still head has no beat
    assert 0 < found["beat_alignment"] <= 1 and 0 < found["beat_alignment_chance"] < 1
    assert 0 < found["diversity_reference"] < found["diversity"]  # two samples turn, each about a truth that does not
    assert result[0].row.seed == clip.seed


def test_wrong_speech_is_rendered_on_every_second_frame(result):
    curves = result[0].curves
    assert np.isnan(curves["wrong_speech"][1::2]).all() and np.isfinite(curves["wrong_speech"][::2]).all()
    assert len(curves["reference"]) == len(curves["generated"]) == FRAMES


def test_videos_hold_every_frame(result):
    made, panels = (read_crop(result[1] / f"aa_{name}.mp4") for name in ("generated", "side_by_side"))
    assert made.shape == (FRAMES, SIDE, SIDE, 3) and panels.shape == (FRAMES, 64, 192, 3)


def test_a_result_comes_back_from_disk_as_it_was(result, tmp_path):
    folder = fresh_folder(tmp_path / "job")
    assert not has_result(folder)
    save_result(folder, result[0])
    again = load_result(folder, MeasuredClip)
    assert again.row == result[0].row
    assert all(np.array_equal(again.curves[k], v, equal_nan=True) for k, v in result[0].curves.items())
    assert all(np.array_equal(again.arrays[k], v) for k, v in result[0].arrays.items())
    remove_others(tmp_path, keep=set())
    assert not folder.exists()


def summary_of(results) -> dict:
    summary = ClipSummary()
    for result in results:
        summary.add(result)
    return summary.metrics(draws=50, seed=0)


def test_metrics_of_clips_have_intervals_and_other_people_only_where_there_are_some(result):
    metrics = summary_of([result[0]])
    assert metrics["mouth_r"].n == 1 and metrics["mouth_r"].low is None
    assert "csim_mobilefacenet_other" not in metrics
    metrics = summary_of([result[0]] * 3)
    assert metrics["fd_efficientnet_lite0"].n == 3 and metrics["fd_efficientnet_lite0"].low is not None


def test_other_people_by_hand():
    a, b = np.array([1.0, 0.0]), np.array([0.6, 0.8])
    found = other_person_csim([("p", a, a), ("p", a, b), ("q", b, b)])
    assert found == pytest.approx([0.6, 1.0, 0.6])  # p against q's portrait, twice; q against p's two


@pytest.mark.parametrize("broken", [False, True])
def test_emotions_keep_the_pose_or_are_caught(clip, tmp_path, broken):
    results = [EmotionJob(clip, name).run(fake_parts(broken), SETTINGS, tmp_path) for name in
               ("neutral", "happy")]
    assert pose_is_identical([result.row for result in results]) is not broken
    rows = emotion_rows([result.row for result in results])
    assert rows[1].film.seen == "happy" and rows[1].change.probability == pytest.approx(0.6)
    assert rows[1].change.brow_shift == pytest.approx(0, abs=1e-6)
    metrics = emotion_metrics(rows, draws=20, seed=0)
    assert metrics["emo_agree_facex"].value == 1 and metrics["emo_target_gain_facex"].value == pytest.approx(0)
    tiles = [tmp_path / f"aa_{name}.mp4" for name in ("neutral", "happy")]
    write_grid(tmp_path / "grid.mp4", tiles, Path(clip.crop).with_suffix(".wav"), FPS, 20)
    assert read_crop(tmp_path / "grid.mp4").shape == (FRAMES, 64, 128, 3)
    write_grid(tmp_path / "square.mp4", tiles * 2, Path(clip.crop).with_suffix(".wav"), FPS, 20)
    assert read_crop(tmp_path / "square.mp4").shape == (FRAMES, 128, 128, 3)


def test_a_true_clip_is_looked_at_without_being_generated(clip, tmp_path):
    film = TrueEmotionJob(clip, "happy").run(fake_parts(), SETTINGS, tmp_path).row
    assert not list(tmp_path.iterdir())
    assert film.seen == "happy" and film.emotion == "happy" and film.identity == "hdtf/p1"
    assert film.log_probabilities["sad"] == pytest.approx(np.log(0.1 + 1e-4), rel=1e-5)


def test_poses_are_generated_still_or_driven(clip, tmp_path):
    driver = motion_of(np.zeros(40), 3 * np.sin(np.arange(40) / 5))[:, -7:]
    found = {pose: PoseJob(clip, pose, driver).run(fake_parts(), SETTINGS, tmp_path).row.numbers for pose in POSES}
    assert found["still"]["yaw_range_deg"] == 0 and found["generated"]["yaw_range_deg"] > 1
    assert found["driven"]["yaw_r_driver"] == pytest.approx(1) and found["driven"]["yaw_range_deg"] > 4
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"aa_pose_{pose}.mp4" for pose in sorted(POSES)]


def test_seeds_are_other_performances_of_the_same_speech(clip, tmp_path):
    rows = [SeedJob(clip, offset).run(fake_parts(), SETTINGS, tmp_path).row for offset in (0, 1)]
    assert [row.seed for row in rows] == [clip.seed, clip.seed + 1]
    assert rows[0].numbers["yaw_range_deg"] != rows[1].numbers["yaw_range_deg"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["aa_seed_0.mp4", "aa_seed_1.mp4"]


def test_a_dial_directs_the_film(clip, tmp_path):
    rows = [DialJob(clip, "pose_scale", value).run(fake_parts(), SETTINGS, tmp_path).row for value in (0.0, 1.0, 2.0)]
    still, own, double = (row.numbers["yaw_range_deg"] for row in rows)
    assert still == 0 and double == pytest.approx(2 * own, rel=1e-4) and own > 1
    assert (tmp_path / "aa_pose_scale_2.0.mp4").is_file()


def test_a_tiles_name_has_a_dark_rim_and_leaves_the_rest_alone():
    bright = np.full((100, 100, 3), 240, np.uint8)
    found = tile(bright, 320, "generated")
    assert found.shape == (320, 320, 3) and found.min() < 60 and found.max() == 255  # letters and their rim
    rows, columns = np.nonzero((found != 240).any(2))
    assert rows.max() < 40 and columns.max() < 160
    assert (bright == 240).all()
    same = np.full((320, 320, 3), 240, np.uint8)
    tile(same, 320, "still")
    assert (same == 240).all()  # a frame that needs no scaling is not drawn upon
