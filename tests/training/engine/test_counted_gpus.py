"""Both trainings ask the real Ray for the GPUs that params.yaml names, get them, and come to their end."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import yaml

from pipeline.compute.device import COUNTED
from stages import statistics
from tests.training.decoupling.test_loop import AWAY, write_project
from tests.training.toy import make_project


def set_gpus(folder, *sections: tuple[str, ...]) -> None:
    """`trainer.gpus: 2` in sections of params.yaml, on a cluster."""
    path = folder / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["ray"] |= {"address": "auto", "max_wait_s": 60.0}
    for keys in sections:
        section = params
        for key in keys:
            section = section[key]
        section["trainer"] |= {"workers": 2, "gpus": 2}
    path.write_text(yaml.safe_dump(params))


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.nightly
def test_both_trainings_come_to_their_end_on_counted_gpus(tmp_path, project, monkeypatch):
    audio, tuning = tmp_path / "audio", tmp_path / "tuning"
    for folder in (audio, tuning):
        folder.mkdir()
    make_project(audio, project, workers=2)
    monkeypatch.chdir(audio)
    statistics.main(lambda text: None)
    write_project(tuning, project, workers=2)
    for folder in (audio, tuning):
        set_gpus(folder, ("train_audio",), ("train_emotion",), ("face_space", "tune"))
    done = subprocess.run([sys.executable, "-m", "tests.training.engine.counted_gpus", str(audio), str(tuning)],
                          cwd=project, capture_output=True, text=True, timeout=600, check=False,
                          env={**os.environ, "PYTHONPATH": str(project), COUNTED: "1", "MLFLOW_TRACKING_URI": AWAY})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "train_audio: 4 steps of 4 windows on 2 GPU workers" in done.stdout
    assert "face_space: 2 steps of 2 pairs on 2 GPU workers" in done.stdout
    assert json.loads((audio / "data/models/audio/metrics.json").read_text())["steps"] == 4
    assert json.loads((tuning / "data/face_space/face_space.json").read_text())["tune"]["steps"] == 2


def test_a_machine_without_the_paper_s_gpus_says_so_in_its_first_second(tmp_path, project, monkeypatch):
    """Before Ray starts: no wait, and no training on cores."""
    from stages import train_audio

    make_project(tmp_path, project, workers=4, gpus=4)
    monkeypatch.chdir(tmp_path)
    statistics.main(lambda text: None)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("training.engine.run.is_started", lambda: False)  # whatever other tests left
    monkeypatch.setattr("training.engine.run.ray_session", None)  # a call would fail
    with pytest.raises(RuntimeError, match=r"train_audio.trainer.gpus is 4, this machine has no GPU: set gpus and"):
        train_audio.main(lambda text: None)
