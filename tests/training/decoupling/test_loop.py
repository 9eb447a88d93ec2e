"""Pairs of frames, and the loop over them: resumable to the bit, alone and under Ray Train."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from models.judges.vgg import VggFeatures
from models.liveportrait.networks import seeded_networks
from models.liveportrait.widths import TOY
from pipeline.components.face_space import make_networks
from pipeline.core.clip_table import write_clip_table
from pipeline.core.config import load_params
from pipeline.core.model_params import Tune
from pipeline.core.split_table import write_split
from pipeline.media.crops import read_crop
from pipeline.media.film import write_video
from pipeline.storage.local import LocalStorage
from tests.chosen import keep_corpora
from training.decoupling.build import decoupling_job, make_features
from training.decoupling.fit import tune
from training.decoupling.loop import DecouplingJob, tune_networks
from training.decoupling.pairs import PairClip, draw_pair, fixed_pairs, pair_batch
from training.engine.checkpoint import CheckpointStore
from training.engine.context import PlainContext
from training.engine.stops import TrainingStopped

pytestmark = pytest.mark.processes

SIDE = 64
AWAY = "http://127.0.0.1:9"  # a tracking server that does not answer


class Killed(Exception):
    pass


def write_crop(path: Path, frames: int, seed: int) -> None:
    """A bright square that wanders over a grey picture."""
    random = np.random.default_rng(seed)
    pictures = np.full((frames, SIDE, SIDE, 3), 90, np.uint8)
    for picture in pictures:
        y, x = random.integers(8, 40, 2)
        picture[y:y + 16, x:x + 16] = (220, 40 + 10 * seed, 60)
    write_video(path, pictures, 25)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crops")
    found = [PairClip(f"c{i}", folder / f"c{i}.mp4", 6 + i) for i in range(3)]
    for index, clip in enumerate(found):
        write_crop(clip.path, clip.frames, index)
    return found


def settings(**changes) -> Tune:
    values = {"steps": 4, "train": ["motion"], "features": "vgg19", "distance": "mean_square", "transfer_weight": 1.0,
              "reconstruction_weight": 1.0, "perceptual_weight": 1.0, "prior_weight": 1.0, "picture_px": 32,
              "min_gap": 3, "batch": 2, "lr": 1e-3, "warmup_steps": 0, "final_lr_share": 1.0, "grad_clip": 1.0,
              "precision": "fp32", "log_every": 1,
              "trainer": {"workers": 0, "gpus": "auto", "checkpoint_every": 2}}
    return Tune(**{**values, **changes})


def job(folder: Path, clips: list[PairClip], **changes) -> DecouplingJob:
    torch.manual_seed(0)
    features = VggFeatures("vgg19", width=2)
    return DecouplingJob(seeded_networks(TOY, 0), features, clips, clips, settings(**changes), 7,
                         CheckpointStore(LocalStorage(folder), "run"))


def test_pairs_are_far_apart_or_as_far_as_a_clip_allows():
    random = np.random.default_rng(0)
    drawn = [draw_pair(30, 25, random) for _ in range(300)]
    assert min(abs(i - j) for i, j in drawn) == 25 and {pair for pair in drawn if pair[0] > pair[1]}
    assert {frame for pair in drawn for frame in pair} == {*range(5), *range(25, 30)}
    assert {draw_pair(4, 25, random) for _ in range(20)} == {(0, 3), (3, 0)}
    with pytest.raises(ValueError, match="two frames, the clip has 1"):
        draw_pair(1, 25, random)


def test_a_batch_holds_the_frames_it_names_whoever_computes_it(clips):
    whole = pair_batch(clips, 4, 3, seed=1, step=5)
    parts = [pair_batch(clips, 4, 3, 1, 5, rank, 2) for rank in range(2)]
    assert whole.clip_ids == [clip_id for part in parts for clip_id in part.clip_ids]
    assert torch.equal(whole.first, torch.cat([part.first for part in parts]))
    assert whole.first.shape == (4, 3, SIDE, SIDE) and not torch.equal(whole.first, whole.second)
    first = whole.pictures()[0]
    stored = read_crop(next(clip.path for clip in clips if clip.clip_id == whole.clip_ids[0]))
    assert any(np.array_equal(whole.first[0].permute(1, 2, 0).numpy(), frame) for frame in stored)
    assert first.min() >= 0 and first.max() <= 1 and first.dtype == torch.float32


def test_the_measured_pairs_never_change(clips):
    assert fixed_pairs(clips, 5, 3, 7) == fixed_pairs(clips, 5, 3, 7)
    assert len({clip.clip_id for clip, _ in fixed_pairs(clips, 5, 3, 7)}) == 3


@pytest.mark.parametrize("step", [1, 3])
def test_killed_and_resumed_equals_never_killed_bit_for_bit(tmp_path, clips, step):
    def kill(reached):
        if reached == step:
            raise Killed

    whole = tune_networks(job(tmp_path / "a", clips), PlainContext())
    broken = job(tmp_path / "b", clips)
    broken.on_step = kill
    with pytest.raises(Killed):
        tune_networks(broken, PlainContext())
    resumed = tune_networks(job(tmp_path / "b", clips), PlainContext())
    assert resumed["history"] == whole["history"]
    assert all(torch.equal(value, resumed["weights"][name]) for name, value in whole["weights"].items())


@pytest.mark.parametrize("parts", [["motion"], ["warping", "generator"]])
def test_frozen_networks_keep_every_bit(tmp_path, clips, parts):
    made = job(tmp_path, clips, train=parts)
    before = {name: value.clone() for name, value in made.networks.state_dict().items()}
    after = tune_networks(made, PlainContext())["weights"]
    changed = {name.split(".")[0] for name, value in before.items() if not torch.equal(after[name], value)}
    assert changed == set(parts)


def test_the_loss_falls_on_liveportrait_itself(tmp_path, clips):
    rows = []
    everything = ["motion", "appearance", "warping", "generator"]
    state = tune_networks(job(tmp_path, clips, steps=16, train=everything, lr=5e-3, batch=2, prior_weight=0.1,
                              log_every=8), PlainContext(report=rows.append))
    losses = [row["loss"] for row in state["history"] if "loss" in row]
    assert losses[-1] < 0.7 * losses[0]
    assert {"expression_kept", "pose_followed", "delta_spread"} <= set(state["history"][0]) & set(state["history"][-1])
    assert 0 <= rows[-1]["data_wait_share"] <= 1


def test_a_loss_that_is_not_finite_stops_before_the_step(tmp_path, clips):
    made = job(tmp_path, clips)
    with torch.no_grad():
        made.networks.generator.fc.bias[0] = float("nan")
    before = made.networks.motion.detector.fc_kp.weight.clone()
    with pytest.raises(TrainingStopped, match=r"before step 1: .*c\d.* not finite.*recorded in run/stopped"):
        tune_networks(made, PlainContext())
    assert torch.equal(made.networks.motion.detector.fc_kp.weight, before)
    record = json.loads((tmp_path / "run/stopped/rank_00000.json").read_text())
    assert record["step"] == 1 and set(record["bad_clip_ids"]) <= set(record["clip_ids"])
    assert [len(frames) for frames in record["times"]] == [2, 2]  # the pairs' frames


def test_bf16_tunes(tmp_path, clips):
    state = tune_networks(job(tmp_path, clips, steps=1, precision="bf16"), PlainContext())
    assert np.isfinite(state["history"][-1]["loss"])
    assert all(value.dtype == torch.float32 for value in state["weights"].values() if value.is_floating_point())


def write_project(folder: Path, project: Path, workers: int) -> None:
    """Two training clips and a held-out one, and params.yaml of an untrained space that is tuned for two steps."""
    params = yaml.safe_load((project / "params.yaml").read_text())
    keep_corpora(params, "avspeech")
    params["face_space"] |= {"kind": "liveportrait", "checkpoint": "untrained"}
    params["face_space"]["tune"] |= {"steps": 2, "batch": 2, "min_gap": 3, "picture_px": 32,
                                     "log_every": 1, "warmup_steps": 0, "lr": 1e-3,
                                     "trainer": {"workers": workers, "gpus": "auto", "checkpoint_every": 1}}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    crops, rows = folder / "data/crops/avspeech", []
    for index in range(3):
        write_crop(crops / f"c{index}.mp4", 8, index)
        rows.append({"clip_id": f"c{index}", "corpus": "avspeech", "identity": f"avspeech/{index}", "status": "kept",
                     "frames": 8})
    write_clip_table(crops / "clips.parquet", rows)
    write_split(folder / "data/split", [{"clip_id": f"c{index}", "split": part}
                                        for index, part in enumerate(("train", "train", "validation"))])


def test_the_job_is_built_from_the_split(tmp_path, project, monkeypatch):
    write_project(tmp_path, project, workers=0)
    monkeypatch.chdir(tmp_path)
    made = decoupling_job(load_params(), LocalStorage(tmp_path), "run")
    assert [clip.clip_id for clip in made.clips] == ["c0", "c1"]
    assert [clip.clip_id for clip in made.measured_clips] == ["c2"]
    assert made.features.layers[0].out_channels == 4  # an untrained space takes no weights from anywhere
    again = make_features(load_params().face_space, load_params().seed)
    assert torch.equal(again.layers[0].weight, made.features.layers[0].weight)


class Recorder:
    """Stands for the tracking record of a run."""

    def __init__(self, monkeypatch):
        self.rows, self.given = [], None
        monkeypatch.setattr("training.engine.worker.tracked_run", self)

    def __call__(self, *given):
        self.given = given
        return nullcontext(self)

    def metrics(self, values, step):
        self.rows.append((step, values))


def test_tuning_writes_its_record_and_a_second_call_only_reads(tmp_path, project, monkeypatch):
    write_project(tmp_path, project, workers=0)
    monkeypatch.chdir(tmp_path)
    said, tracked = [], Recorder(monkeypatch)
    state, record = tune(load_params(), said.append)
    assert [step for step, _ in tracked.rows] == [0, 1, 2]
    assert tracked.rows[0][1]["expression_kept"] == record.before["expression_kept"]
    assert {"loss", "transfer", "lr", "expression_kept"} <= tracked.rows[2][1].keys()
    experiment, _, name, data, prints = tracked.given
    assert (experiment, name, list(data)) == ("face_space", record.run, ["avspeech"]) and "code" in prints
    assert record.steps == 2 and record.features == "vgg19 (untrained)"
    assert record.before["step"] == 0 and "expression_kept" in record.after
    assert "expression when the pose is swapped" in said[-1]
    monkeypatch.setattr("training.engine.run._here", None)  # a call would fail
    again, _ = tune(load_params(), said.append)
    assert all(torch.equal(value, again[name]) for name, value in state.items())


@pytest.mark.e2e
@pytest.mark.slow
def test_the_stage_under_ray_train_equals_one_process(tmp_path, project, monkeypatch):
    """In a process of its own, with two workers: the stage starts a Ray, and tests of this process may hold another."""
    from safetensors.torch import load_file

    write_project(tmp_path, project, workers=2)
    done = subprocess.run([sys.executable, "-m", "stages.face_space.stage"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=600, check=False,
                          env={**os.environ, "PYTHONPATH": str(project), "MLFLOW_TRACKING_URI": AWAY})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "on 2 CPU workers" in done.stdout
    together = load_file(tmp_path / "data/face_space/face_space.safetensors")
    [kept] = (tmp_path / ".playmate/tracking").glob("*/records.jsonl")
    records = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [record["name"] for record in records if record["kind"] == "dataset"] == ["avspeech"]
    assert [record["step"] for record in records if "transfer" in record.get("values", {})] == [1, 2]
    shutil.rmtree(tmp_path / ".playmate")
    Recorder(monkeypatch)
    write_project(tmp_path, project, workers=0)
    monkeypatch.chdir(tmp_path)
    alone, _ = tune(load_params(), lambda text: None)
    start = make_networks(load_params().face_space, load_params().seed).state_dict()
    tuned = [name for name in start if name.startswith("motion.")]
    moved, apart = (torch.cat([(together[name] - other[name]).flatten() for name in tuned]).square().mean().sqrt()
                    for other in (start, alone))
    # not bit for bit: where a gradient is next to nothing, Adam makes a step of its rounding
    assert moved > 1e-4 and apart < 0.01 * moved
    assert all(torch.equal(together[name], start[name]) for name in start if name not in tuned)
