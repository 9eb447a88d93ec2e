"""The report from made-up files: it holds what it must, escapes what is hostile, and loads nothing from anywhere."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from evaluation.metrics.bootstrap import Interval
from evaluation.metrics.emotion import Change, EmotionRow
from evaluation.metrics.table import METRICS, full_label, group_of
from evaluation.report.data import ReportData, collect
from evaluation.report.page import flat_metrics, plot_files, render_html, render_markdown
from evaluation.report.plots import measured_plots
from evaluation.report.tables import EmotionSeen, by_emotion, metric_groups
from evaluation.report.text import Seen, number, share_text
from evaluation.results import files as results
from evaluation.results.files import Summary
from evaluation.results.rows import FAILED, LostClip
from pipeline.core.atomic import write_json
from pipeline.core.clip_table import write_clip_table
from pipeline.core.split_table import write_split
from pipeline.media import plot as svg
from pipeline.media.film import write_video
from tests.evaluation.fakes import emotion_film, measured_clip

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    (root / "params.yaml").write_text("profile: embedded\nseed: 1\n")
    _evaluation(root / "data/evaluation")
    results.write_csv(root / "data/models/audio/curve.csv",
                      [{"step": s, "loss": 2.0 - s / 10, "lr": 1e-4, "validation_loss": 1.5 if s else None}
                       for s in range(3)])
    results.write_csv(root / "data/ablation/ablation.csv", [{"w_a": 1.5, "w_e": None, "mouth_r": 0.5, "clips": 2}])
    write_json(root / "data/ablation/ablation.json", {"notes": ["The same seeds."]})
    results.write_csv(root / "data/ablation/variants.csv", [
        {"model": "noise_off", "switch": "diffusion.previous_noise_t_max: 0", "mouth_r": 0.61, "clips": 2}])
    results.write_csv(root / "data/ablation/long.csv", [
        {"model": "in use", "repeat": k, "start_s": 10.0 * k, "seconds": 10.0, "expression_error": 0.8 + k / 10,
         "yaw_jitter_deg": 0.5} for k in range(3)])
    rows = [{"clip_id": "k", "corpus": "mead", "status": "kept", "identity": "mead/a", "frames": 1500, "blur": 90.0},
            {"clip_id": "r", "corpus": "mead", "status": "rejected", "stage": "face", "code": "no_face",
             "detail": HOSTILE, "source": "v/1.mp4", "blur": 3.0}]
    write_clip_table(root / "data/crops/mead/clips.parquet", rows)
    picture = root / "data/crops/mead/rejects/r.jpg"
    picture.parent.mkdir()
    picture.write_bytes(b"\xff\xd8\xff\xd9")
    write_split(root / "data/split", [{"clip_id": "k", "corpus": "mead", "identity": "mead/a", "split": "train"}])
    return root


def _evaluation(folder):
    metrics = {"mouth_r": Interval(0.8421, 0.8, 0.9, 2), "mouth_r_wrong_speech": Interval(0.05, 0.0, 0.1, 2),
               "emo_target_gain_facex": Interval(0.3, 0.2, 0.4, 4), "emo_shift_facex_true": Interval(0.7, 0.5, 0.9, 9)}
    failures = [results.Failure(HOSTILE, "clip", "face_not_found", "no face")]
    write = Summary(metrics, {"seed": 1, "clips": ["a"]}, 1, failures, {"pose_identical_over_emotions": True})
    results.write_summary(folder, write)
    row = measured_clip("a", mouth_r=0.84, mouth_lag_frames=0, mouth_r_wrong_speech=0.05, csim_mobilefacenet=0.8,
                        lpips_alexnet=0.2)
    results.write_clips(folder, [replace(row, identity=HOSTILE), LostClip(HOSTILE, FAILED, "no_face", HOSTILE)])
    results.write_emotions(folder, [
        EmotionRow(emotion_film("happy", (0.7, 0.2, 0.1)), "happy", 1.9, Change(0.7, 0.1, 0.01, 0.02, None))])
    results.write_csv(folder / "mouth_curves.csv", [
        {"clip_id": "a", "frame": f, "reference": f / 9, "generated": f / 8, "wrong_speech": None} for f in range(9)])
    write_json(folder / "distributions.json", {"blinks_per_min": {"training": [10.0, 20.0], "generated": [12.0]}})
    for name in ("a_side_by_side", "emotions"):
        write_video(folder / "videos" / f"{name}.mp4", (np.zeros((64, 64, 3), np.uint8) for _ in range(3)), 25)


class _Page(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_page_holds_every_part(project):
    page = render_html(collect(project))
    for text in ("0.842", "0.8 to 0.9", "mouth_r", "Mouth opening of clip a", "Loss of the audio stage", "no_face",
                 "The same seeds.", "previous_noise_t_max: 0", "in use: 0.8 in the first passage, 1 in the last",
                 "138.511", "best of 26", "19.138", "8.580",
                 "published", "it is equal bit for bit", "1 of 2 clips kept",
                 "embedded profile", "speech synthesiser", "worst first",
                 "measured here"):
        assert text in page, text
    tags = _Page(page).tags
    assert sum(tag == "video" for tag, _ in tags) == 2
    assert all(attrs["poster"].startswith("data:image/jpeg") for tag, attrs in tags if tag == "video")
    assert all(attrs["style"] == "--ratio: 1.00000" for tag, attrs in tags if tag == "video")  # room for its controls
    assert all(attrs.get("aria-label") for tag, attrs in tags if tag in ("video", "svg"))
    assert all(attrs.get("alt") for tag, attrs in tags if tag == "img")


def test_nothing_hostile_gets_through_and_nothing_is_loaded(project):
    page = render_html(collect(project))
    assert HOSTILE not in page and "&lt;script&gt;alert" in page
    tags = _Page(page).tags
    assert sum(tag == "script" for tag, _ in tags) == 1  # our own
    links = [attrs[key] for _, attrs in tags for key in ("src", "href") if key in attrs]
    assert links and all(link.startswith(("data:", "#")) for link in links)
    assert not re.search(r"url\(|@import|https?://", page.split("<body>")[0])


def test_the_page_is_the_same_twice(project):
    assert render_html(collect(project)) == render_html(collect(project))


def test_markdown_keeps_its_tables_whole(project):
    text = render_markdown(collect(project))
    assert "| Mouth follows speech, r (`mouth_r`) | 0.842 [0.8, 0.9] | 2 | with the wrong speech" in text
    assert HOSTILE not in text
    for block in re.findall(r"(?:^\|.*\n)+", text, re.M):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_an_empty_project_says_what_is_missing(tmp_path):
    data = collect(tmp_path)
    page = render_html(data)
    assert "dvc repro evaluate" in page and "dvc repro train_audio" in page
    assert render_markdown(data) and plot_files(data) == {}


def test_numbers_and_plots_for_dvc(project):
    data = collect(project)
    assert flat_metrics(data)["mouth_r"] == 0.8421 and flat_metrics(data)["clips_kept"] == 1
    assert set(plot_files(data)) == {"loss_audio", "mouth", "mouth_all", "long_speech"}


def test_labels_stand_by_themselves_and_every_metric_has_a_heading():
    assert full_label("mouth_r_wrong_speech") == "Mouth follows speech, r with the wrong speech"
    assert full_label("csim") == "CSIM" and full_label("csim_other") == "CSIM of another person"
    assert [group_of(name) for name in ("mouth_r", "lip_error_seen", "lpips_alexnet", "emo_shift_facex", "emo_a", "fid",
                                        "beat_alignment")] == [
        "Mouth and speech", "Mouth and speech", "Identity and pictures", "Emotion", "By the published networks",
        "By the published networks", "Motion"]
    beside = {name for metric in METRICS for name in metric.beside}
    assert beside == {metric.name for metric in METRICS if metric.label.startswith("…")}
    assert beside <= {metric.name for metric in METRICS}


def test_a_number_and_what_it_is_read_against_share_a_row(project):
    [(heading, [row]), *_] = metric_groups(collect(project))
    assert heading == "Mouth and speech" and row.metric.name == "mouth_r"
    assert [(item.label, item.value.value) for item in row.beside] == [("with the wrong speech", 0.05)]


def test_a_measure_that_is_equal_in_every_clip_is_a_sentence():
    data = ReportData(measured={"source_fps": {"kept": [25.0, 25.0], "rejected": [25.0]},
                                "face_px": {"kept": [90.0], "rejected": [30.0]}, "blur": {"kept": [], "rejected": []}})
    equal, plotted = measured_plots(data)
    assert equal.plot is None and equal.only == "25 (frames per second) in every clip"
    assert "1 kept and 1 rejected" in plotted.plot


def test_emotions_are_counted_by_name_and_a_class_that_is_lacking_counts_nothing():
    rows = [EmotionRow(replace(emotion_film(asked, emo_a_seen="happy"), seen=seen), shift, gain,
                       Change(known, None, None, None, None)) for asked, seen, shift, gain, known in (
        ("happy", "happy", "happy", 0.5, 0.6), ("happy", "sad", "happy", 0.1, 0.2), ("neutral", "sad", None, None, 0.3),
        ("contempt", "sad", "sad", None, None))]
    contempt, happy, neutral = by_emotion(rows)
    assert happy == EmotionSeen("happy", 2, pytest.approx(0.3), Seen(2, 2), Seen(1, 2), Seen(2, 2))
    assert contempt.shifted is None and contempt.agreed is None and share_text(contempt.emo_a) == "0 of 1"
    assert neutral.shifted is None and share_text(neutral.agreed) == "0 of 1" and share_text(None) == "–"


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0.84213, "0.842"), (3.0, "3"), (12345.6, "12,346"),
                                             ("happy", "happy"), (-0.001234, "-0.00123")])
def test_numbers_in_tables(value, text):
    assert number(value) == text


def test_plots_have_round_ticks_gaps_and_escaped_text():
    plot = svg.line_plot([svg.Series("a", [0, 1, 2, 3], [0, float("nan"), 10, 5], "s1")], "<x>", "y", 'say "hi"')
    assert "&lt;x&gt;" in plot and "say &#34;hi&#34;" in plot
    assert re.search(r'class="line s1" d="M[\d.]+ [\d.]+M[\d.]+ [\d.]+L', plot)  # the pen is lifted over the gap
    ticks = [float(t) for t in re.findall(r'class="tick end"[^>]*>([^<]+)<', plot)]
    assert ticks == [0, 5, 10]


def test_histogram_shares_by_hand():
    plot = svg.histogram([("a", [0, 0, 0, 1], "s1"), ("b", [None], "s2")], "x", "t", bins=2)
    heights = [float(h) for h in re.findall(r'class="bar s1"[^>]*height="([\d.]+)"', plot)]
    assert heights[0] == pytest.approx(3 * heights[1], rel=0.01) and 'class="bar s2"' not in plot
    assert svg.histogram([("a", [5.0, 5.0], "s1")], "x", "t")  # one value has no span
