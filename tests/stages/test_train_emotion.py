"""Stage 2 without labelled clips keeps the emotions of the bundle that it starts from."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from pipeline.components.bundle import load_bundle, save_bundle
from pipeline.core import paths
from pipeline.core.config import ParamsError, parse_params
from stages.train_emotion import carry_emotion
from training.motion.build import emotion_job
from training.motion.identity import Stage

STAGE = Stage("emotion", emotion_job, paths.EMOTION_MODEL)


@pytest.fixture
def values(project, tmp_path, monkeypatch) -> dict:
    """A project whose stage 1 is the shipped one, a little moved; its parameters, with nothing for stage 2."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(project / "pretrained", "pretrained")
    shipped = load_bundle(paths.SHIPPED)
    config = replace(shipped.config, stage="audio", model=replace(shipped.config.model, num_emotions=0))
    weights = {name: value + 0.01 if value.is_floating_point() and name.startswith("blocks") else value
               for name, value in shipped.model.state_dict().items() if not name.startswith("emotion.")}
    save_bundle(paths.AUDIO_BUNDLE, config, weights, shipped.statistics)
    for path in (paths.SPLIT / "split.parquet", paths.STATISTICS / "statistics.safetensors"):
        path.parent.mkdir(parents=True)
        path.touch()
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["train_emotion"]["steps"] = 0
    values["corpora"] = {"talks": {"reader": "clips", "path": "talks", "use": ["audio"], "singing": False,
                                   "sync": False}}
    return values


def test_stage_one_is_the_new_one_and_the_emotions_are_the_old_ones(values):
    carry_emotion(STAGE, parse_params(values), print)
    made, shipped, stage_one = (load_bundle(folder) for folder in (
        paths.EMOTION_BUNDLE, paths.SHIPPED, paths.AUDIO_BUNDLE))
    for name, value in made.model.state_dict().items():
        origin = shipped if name.startswith("emotion.") else stage_one
        torch.testing.assert_close(value, origin.model.state_dict()[name])
    assert made.config.labels == shipped.config.labels
    np.testing.assert_array_equal(made.statistics.expression.mean, shipped.statistics.expression.mean)
    told = json.loads((paths.EMOTION_MODEL / "metrics.json").read_text())
    assert told["steps"] == told["clips"] == told["learned_nothing"] == 0
    assert told["verdict"].startswith("not trained")


def test_a_module_with_other_labels_is_no_start(values):
    values["emotion"]["labels"] = "union11"
    with pytest.raises(ValueError, match="which does not fit"):
        carry_emotion(STAGE, parse_params(values), print)


def test_nothing_can_be_kept_of_nothing(values):
    values["train_emotion"]["init"] = "none"
    with pytest.raises(ParamsError, match="steps 0 keeps the emotion-control module of a bundle: name one in init"):
        parse_params(values)
