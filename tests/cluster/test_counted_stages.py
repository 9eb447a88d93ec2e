"""Whole stages on two nodes with a GPU each that Ray only counts: the same files as on one machine's cores."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.compute.device import COUNTED
from tests.cluster.machines import machines
from tests.toy_project import change_params, run

KEPT = ("data/features/avspeech/manifest.json", "data/evaluation/metrics.json", "data/evaluation/summary.json",
        "data/ablation/ablation.csv")
LONG = "data/ablation/long.csv"  # of every model
COMPUTED = (".playmate/store", ".playmate/evaluate", ".playmate/ablation")


@pytest.mark.nightly
@pytest.mark.e2e
@pytest.mark.slow
def test_extraction_evaluation_and_ablation_on_counted_gpus(toy_run, tmp_path, monkeypatch):
    monkeypatch.setenv(COUNTED, "1")
    again_on_gpus(toy_run, tmp_path / "project")


def again_on_gpus(toy_run: Path, folder: Path) -> None:
    """What the toy run computed is computed once more, and two variants of the ablation with it."""
    shutil.copytree(toy_run, folder, symlinks=True)
    wanted = {name: (folder / name).read_bytes() for name in (*KEPT, LONG)}
    for name in COMPUTED:
        shutil.rmtree(folder / name)
    with machines({"num_cpus": 1}, *[{"num_cpus": 1, "num_gpus": 1}] * 2) as nodes:
        change_params(folder, {
            "ray": {"address": nodes.address, "max_wait_s": 120.0}, "train_audio": {"trainer": {"gpus": 0}},
            "train_emotion": {"trainer": {"gpus": 0}},
            "extract": {"actors": 2, "gpus_per_actor": 1.0, "decode_actors": 1},
            "evaluate": {"workers": 2, "gpus_per_actor": 0.5},
            "ablate": {"gpus_per_actor": 1.0, "variants": ["noise_off"], "variant_steps": 4}})
        run(folder, "python", "-m", "stages.extract.stage", "avspeech")
        run(folder, "python", "-m", "stages.evaluate")
        said = run(folder, "python", "-m", "stages.ablate.stage")
    assert "ablate: 2 models of 4 steps: unchanged, noise_off" in said
    assert len((folder / "data/ablation/variants.csv").read_text().splitlines()) == 3
    assert {name for name in KEPT if (folder / name).read_bytes() != wanted[name]} == set()
    assert (folder / LONG).read_bytes().startswith(wanted[LONG])
