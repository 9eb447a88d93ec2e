"""The statistics stage: training clips of stage 1's corpora, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from models.motion.normalization import MotionStatistics
from pipeline.components.bundle import load_bundle
from pipeline.core.config import parse_params
from pipeline.core.split_table import write_split
from stages import statistics
from tests.chosen import keep_corpora
from tests.feature_store.made import frames_of, motion_of, write_store


@pytest.fixture
def train(tmp_path, monkeypatch, project):
    """A store of five clips, of which `train(...)` puts some into the training split."""
    values = yaml.safe_load((project / "params.yaml").read_text())
    keep_corpora(values, "avspeech")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(statistics, "load_params", lambda: parse_params(values))
    write_store(Path("data/features/avspeech"), Path("units"), [0, 1, 2, 3, 4])

    def train(clips: list[int]) -> MotionStatistics:
        rows = [{"clip_id": f"clip{i:03d}", "split": "train" if i in clips else "test"} for i in range(5)]
        write_split(Path("data/split"), rows)
        statistics.main(lambda _: None)
        return MotionStatistics.from_tensors(load_file("data/statistics/statistics.safetensors"))

    return train


def test_test_clips_are_not_seen(train):
    found = train([1, 3])
    frames = np.concatenate([motion_of(1, frames_of(1)), motion_of(3, frames_of(3))]).astype(np.float64)
    np.testing.assert_allclose(found.expression.mean, frames[:, :-7].mean(0), atol=1e-9)
    stds = [motion_of(i, frames_of(i)).astype(np.float64)[:, -7:].std(0) for i in (1, 3)]
    np.testing.assert_allclose(found.pose_std, np.mean(stds, axis=0), atol=1e-9)


def test_the_json_says_what_it_is(train):
    train([1, 3])
    value = json.loads(Path("data/statistics/statistics.json").read_text())
    assert (value["clips"], value["frames"], value["identities"]) == (2, 14, 2)
    assert value["expression"]["alive"] == value["expression"]["dimensions"] == 6
    assert list(value["pose"]) == sorted(["scale", "t_x", "t_y", "t_z", "pitch_deg", "yaw_deg", "roll_deg"])


def test_the_same_clips_give_the_same_bytes(train):
    train([1, 3])
    first = {path.name: path.read_bytes() for path in Path("data/statistics").iterdir()}
    train([1, 3])
    assert {path.name: path.read_bytes() for path in Path("data/statistics").iterdir()} == first


def test_no_training_clip_is_an_error(train):
    with pytest.raises(ValueError, match="no training clip"):
        train([])


def test_the_statistics_of_a_bundle_are_kept(project):
    shipped = load_bundle(project / "pretrained/embedded").statistics
    own = MotionStatistics(replace(shipped.expression, mean=shipped.expression.mean + 1), shipped.pose_mean,
                           shipped.pose_std, shipped.pose_center, shipped.pose_spread, "clip", shipped.min_std)
    kept = statistics.bundle_statistics(project / "pretrained/embedded", own, own_mean=False)
    np.testing.assert_array_equal(kept.expression.mean, shipped.expression.mean)
    around = statistics.bundle_statistics(project / "pretrained/embedded", own, own_mean=True)
    np.testing.assert_array_equal(around.expression.mean, own.expression.mean)
    for name in ("expression_std", "expression_alive", "pose_mean", "pose_std"):
        np.testing.assert_array_equal(around.tensors()[name], shipped.tensors()[name])


def test_statistics_of_another_face_space_are_refused(train, project, monkeypatch):
    monkeypatch.setattr(statistics, "initial_bundle", lambda init, key: project / "pretrained/embedded")
    with pytest.raises(ValueError, match="motion has 217 dimensions there, here 13"):
        train([1, 3])
