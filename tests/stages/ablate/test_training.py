"""Variants of the ablation are trained with their switch, on the device that `ablate` names, once."""

from __future__ import annotations

import pytest

from pipeline.components.bundle import load_bundle
from pipeline.compute.resources import Actors
from pipeline.core.config import load_params
from stages import statistics
from stages.ablate import training
from tests.training.toy import make_project

NAMES = ["unchanged", "noise_off"]


def test_variants_are_trained_once_on_their_share_of_a_gpu(tmp_path, project, monkeypatch):
    make_project(tmp_path, project)
    monkeypatch.chdir(tmp_path)
    statistics.main(str)
    params = load_params()
    section = params.ablate.model_copy(update={"variant_steps": 2, "gpus_per_actor": 0.5})
    params = params.model_copy(update={"ablate": section})
    actors, asked = Actors("ablate", 2, 0.5), []

    def run_here(names, make, given, ray, say):
        assert given == actors and ray is None
        return ((name, make()(name)) for name in names)

    monkeypatch.setattr(training, "run", run_here)
    monkeypatch.setattr(training, "which_device", lambda given: asked.append(given) or "cpu")
    folders = training.train_variants(params, NAMES, actors, str)
    assert asked == [True, True] and list(folders) == NAMES
    noise = [load_bundle(folders[name]).config.diffusion["previous_noise_t_max"] for name in NAMES]
    assert noise == [params.diffusion.previous_noise_t_max, 0]
    monkeypatch.setattr(training, "train", pytest.fail)
    assert training.train_variants(params, NAMES, actors, str) == folders
