"""`playmate finetune`: what it says of a model, and the whole of it on a real person's film."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline.animate.own_models import own_model, own_models
from playmate.finetune import Figures, fine_tune, lines
from training.motion.fit import between


def figures(base: float, new: float, wrong: float = 0.0) -> Figures:
    return Figures(4, 30.0, 1, base, 0.05, new, wrong)


@pytest.mark.parametrize(("base", "new", "wrong", "word"), [
    (0.5, 0.6, 0.1, "better"), (0.5, 0.515, 0.1, "not better"), (0.5, 0.49, 0.1, "not better"),
    (0.5, 0.47, 0.1, "worse"),
    (0.5, 0.6, 0.7, "not better")])   # it follows any speech
def test_a_model_is_called_better_only_where_it_is(base, new, wrong, word):
    assert figures(base, new, wrong).word(0.02) == word
    assert f", {word} than the base model" in figures(base, new, wrong).verdict(0.02)


def test_both_models_are_told_with_the_wrong_speech_beside():
    assert lines(figures(0.5, 0.49), 0.02) == [
        "held out: 4 clips, 30 s of 1 person",
        "base model:  r 0.500, with the wrong speech 0.050",
        "new model:   r 0.490, with the wrong speech 0.000",
        "the new model is not better than the base model (r -0.010, asked for more than 0.02); it is kept as a "
        "candidate"]


def test_models_are_found_by_name_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYMATE_MODELS", str(tmp_path))
    (tmp_path / "anna").mkdir()
    assert own_model("anna") is None   # not finished
    (tmp_path / "anna/finetune.json").write_text(json.dumps({"verdict": "fine-tuned"}))
    found = own_model("anna")
    assert found is not None and found.bundle == tmp_path / "anna/data/models/emotion/bundle"
    assert [model.name for model in own_models()] == ["anna"] and own_model("../anna") is None


def test_weights_between_two_states():
    start = {"a": torch.tensor([0.0, 4.0]), "n": torch.tensor(3)}
    end = {"a": torch.tensor([2.0, 0.0]), "n": torch.tensor(5)}
    assert between(start, end, 0.25)["a"].tolist() == [0.5, 3.0] and between(start, end, 0.25)["n"] == 5
    for share, state in ((0.0, start), (1.0, end)):
        assert torch.equal(between(start, end, share)["a"], state["a"])


def test_a_name_is_no_path(tmp_path):
    with pytest.raises(ValueError, match="letters, digits, _ and -"):
        fine_tune([str(tmp_path)], "../anna", 0.02, print)
    with pytest.raises(ValueError, match="a difference of r"):
        fine_tune([str(tmp_path)], "anna", float("nan"), print)


@pytest.mark.media
@pytest.mark.slow
@pytest.mark.processes
def test_one_persons_film_becomes_a_model(media, picture, tmp_path):
    """As the README says it, on nine seconds: three pieces, two of which are left out of a training each."""
    films = tmp_path / "films"
    films.mkdir()
    for path in (media / "talking").glob("styletalk_Obama_clip1.*"):
        shutil.copy(path, films)
    (films / "metadata.csv").write_text("file_name,end_s\nstyletalk_Obama_clip1.mp4,9\n")
    environment = os.environ | {"PLAYMATE_MODELS": str(tmp_path / "models")}

    def playmate(*command: str) -> str:
        done = subprocess.run([Path(sys.executable).with_name("playmate"), *command], cwd=tmp_path, env=environment,
                              capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    said = playmate("finetune", "--data", "films", "--name", "barack")
    assert "training 2 of 2 that choose" in said and "the base model stays as it is" in said   # two say nothing
    assert "base model:  r " in said and "new model:   r " in said and "held out: " in said
    told = json.loads((tmp_path / "models/barack/finetune.json").read_text())
    assert told["people"] == 1   # one clip of 3 s is held out: which model follows it better is luck
    word = Figures(told["clips"], told["seconds"], 1, told["base_r"], told["base_r_wrong_speech"], told["r"],
                   told["r_wrong_speech"]).word(0.02)
    assert f"{word} than the base model" in told["verdict"]
    from PIL import Image

    Image.fromarray(picture).save(tmp_path / "face.png")
    film = playmate("animate", "--model", "barack", "--portrait", "face.png", "--speech",
                    str(films / "styletalk_Obama_clip1.wav"), "--seed", "1", "-o", "out.mp4")
    assert "barack, fine-tuned" in film and (tmp_path / "out.mp4").is_file()
