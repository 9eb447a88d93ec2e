"""Films beside a training: the command is a stand-in that copies its bundle's name into the film."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.media.crops import write_wav
from pipeline.media.film import write_video
from training.motion.films import Films

STAND_IN = """#!/bin/sh
test "$1 $2" = "-m pipeline.animate" && test -f "$3" && test -f "$4" && cat "$5/step" > "$6"
"""


class Tracked:
    def __init__(self):
        self.films = {}

    def artifact(self, path, folder):
        self.films[f"{folder}/{path.name}"] = path.read_text()


@pytest.fixture
def tracked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    crop = Path("data/crops/hdtf/clip7.mp4")
    write_video(crop, [np.full((64, 64, 3), 90, np.uint8)] * 3, 25)
    write_wav(crop.with_suffix(".wav"), np.zeros(1920, np.float32))
    command = tmp_path / "command"
    command.write_text(STAND_IN)
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", str(command))
    return Tracked()


def write_bundle(folder, state):
    folder.mkdir(exist_ok=True)
    (folder / "step").write_text(f"{state['step']}")


def test_films_of_the_steps_that_ask_for_one(tracked):
    films = Films(4, "clip7", write_bundle, tracked)
    for step in (2, 4, 6):
        films.take({"step": step})
        if films.process is not None:
            films.process.wait()
    films.take({"step": 8})
    films.close()
    assert tracked.films == {"films/step_00000004.mp4": "4", "films/step_00000008.mp4": "8"}
    assert not films.folder.exists()


def test_a_film_that_fails_is_said_and_harms_nothing(tracked, caplog):
    films = Films(1, "clip7", lambda folder, state: folder.mkdir(), tracked)
    films.take({"step": 1})
    films.close()
    assert tracked.films == {} and "no film step_00000001.mp4" in caplog.text


def test_without_a_crop_there_are_no_films(tracked, caplog):
    films = Films(1, "elsewhere", write_bundle, tracked)
    films.take({"step": 1})
    films.close()
    assert "no film will be made" in caplog.text and films.process is None
