import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from evaluation.results.compare import compare, differing_protocol, holm
from evaluation.results.files import write_clips
from evaluation.results.rows import FAILED, LostClip
from playmate.compare import print_comparison
from tests.evaluation.fakes import measured_clip


def rows(values, name="mouth_r"):
    return [measured_clip(f"c{i}", **{name: value}) for i, value in enumerate(values)]


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_a_steady_gain_is_better_and_its_mirror_worse():
    base = np.linspace(0.2, 0.9, 12)
    [gain] = compare(rows(base), rows(base + 0.05), 2000, 0)
    assert (gain.metric, gain.clips, gain.verdict) == ("mouth_r", 12, "better")
    assert gain.gap == pytest.approx(0.05) and gain.p == pytest.approx(2 / 2**12)
    assert compare(rows(base + 0.05), rows(base), 2000, 0)[0].verdict == "worse"
    assert compare(rows(base, "lip_vertex_error"), rows(base + 0.05, "lip_vertex_error"), 2000, 0)[0].verdict == "worse"


def test_noise_is_called_noise_at_its_rate():
    random, found = np.random.default_rng(0), []
    for _ in range(600):
        first, second = random.standard_normal((2, 8))
        found += compare(rows(first), rows(second), 100, 0)
    assert np.mean([one.verdict != "no more than noise" for one in found]) < 0.07


def test_few_clips_prove_nothing():
    assert compare(rows([0.1, 0.2, 0.3]), rows([0.5, 0.6, 0.7]), 100, 0)[0].verdict == "too few clips"


def test_clips_are_matched_by_their_id_and_failed_ones_left_out():
    first, second = rows([0.1, 0.2, 0.3]), rows([0.3, 0.2, 0.1])[::-1]
    second[0] = LostClip("c2", FAILED, "face_not_found", "no face in any of 75 frames")
    [gap] = compare(first, second, 100, 0)
    assert (gap.clips, gap.first, gap.second) == (2, pytest.approx(0.15), pytest.approx(0.25))
    with pytest.raises(ValueError, match="no measured clip in common"):
        compare(first, [replace(row, clip_id=f"x{row.clip_id}") for row in second], 100, 0)


def test_values_that_are_missing_or_equal_are_no_difference():
    assert compare(rows([0.1, None]), rows([0.1, 0.5]), 100, 0) == []


def test_other_weights_or_strides_are_named():
    one = {"fps": 25, "weights_sha256": {"a": "1", "b": "2"}, "model": "x"}
    assert differing_protocol(one, {**one, "model": "y", "weights_sha256": {"a": "1"}}) == []
    assert differing_protocol(one, {**one, "fps": 30, "weights_sha256": {"a": "3"}}) == [
        "fps (25 and 30)", "weights_sha256.a"]


def test_the_command_reads_folders(tmp_path):
    for name, shift in (("a", 0.0), ("b", 0.1)):
        write_clips(tmp_path / name, rows(np.linspace(0, 0.8, 9) + shift))
        (tmp_path / name / "summary.json").write_text(json.dumps({"protocol": {"fps": 25}}))
    console = Console(width=200, record=True, file=io.StringIO())
    [found] = print_comparison(str(tmp_path / "a"), str(tmp_path / "b"), console)
    assert found.verdict == "better" and "mouth_r: better" in console.export_text()
    (tmp_path / "b" / "summary.json").write_text(json.dumps({"protocol": {"fps": 24}}))
    with pytest.raises(ValueError, match=r"measured differently \(fps"):
        print_comparison(str(tmp_path / "a"), str(tmp_path / "b"), console)
