"""What a run lacks is said before it starts: by `playmate plan` and by the first stage of `dvc repro`, alike."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.clip_table import write_clip_table
from pipeline.core.config import ParamsError
from pipeline.weights.table import weights_table
from playmate import outputs as first_stage
from playmate.plan.needs import CannotSucceed, Lack, lacks
from playmate.plan.reach import load_stages, standing
from playmate.profile import apply
from tests.toy_project import copy_project, environment

OWN = {"reader": "clips", "use": ["audio"], "singing": False, "sync": False}


def found(params) -> list[Lack]:
    stages = load_stages()
    return lacks(params, set(stages) - standing(stages))


def texts(params) -> str:
    return "\n".join(map(str, found(params)))


def test_the_demo_lacks_nothing(params):
    assert found(params()) == []


def test_missing_weights_are_named_for_the_stage_that_opens_them(params):
    for name in ("kokoro_1", "whisper_tiny_en", "i3d"):
        weights_table()[name].path.unlink()
    assert {lack.stage: lack.text for lack in found(params())} == {
        "corpora": "weights missing: kokoro_1: `playmate weights pull`",
        "extract": "weights missing: whisper_tiny_en: `playmate weights pull`"}   # nobody asked for i3d


def test_gpus_that_are_asked_for_and_not_here(params, monkeypatch):
    monkeypatch.delenv("PLAYMATE_COUNTED_GPUS", raising=False)
    apply("paper")
    assert {lack.stage for lack in found(params())} == {"face_space", "extract", "train_audio", "train_emotion",
                                                        "evaluate", "ablate"}
    assert "train_audio: train_audio.trainer.gpus is 4, this machine has no GPU" in texts(params())
    assert found(params(ray={"address": "auto"})) == []   # a cluster's come when they are asked for


def test_places_and_uses(params, tmp_path):
    mine = {"path": str(tmp_path / "mine")} | OWN
    said = texts(params(corpora={"mine": mine}))
    assert "sources: there is nothing at corpora.mine.path" in said
    assert "train_emotion: no corpus has `emotion` in its `use`" in said
    (tmp_path / "mine").mkdir()
    said = texts(params(corpora={"mine": mine}))
    assert "train_audio: there is no file in the corpora for `audio`: mine" in said and "nothing at" not in said


def clip(corpus: str, name: str, emotion: str | None = None) -> dict:
    return {"clip_id": f"{corpus}{name}", "corpus": corpus, "identity": f"{corpus}/{name}", "emotion": emotion,
            "source": f"{name}.mp4", "status": "kept"}


def tables(**clips: list[dict]) -> None:
    for corpus, rows in clips.items():
        path = Path("data/crops") / corpus / "clips.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip_table(path, rows)


def test_clips_that_are_left(params):
    chosen = params()
    corpora = {name: corpus.model_dump() for name, corpus in chosen.corpora.items()
               if name in ("avspeech", "mead", "hdtf")}
    chosen = params(corpora=corpora)
    speech, spoken = [clip("avspeech", str(n)) for n in range(4)], [clip("hdtf", "a")]
    tables(avspeech=speech, mead=[clip("mead", str(n), "happy") for n in range(4)], hdtf=spoken)
    assert found(chosen) == []
    tables(hdtf=[])
    assert texts(chosen).startswith("evaluate: no test clip was kept (corpora for tests: hdtf)")
    tables(hdtf=spoken, mead=[clip("mead", "x", "helplessness")])
    assert texts(chosen).startswith("train_emotion: no training clip in mead is labelled neutral, ")
    tables(avspeech=[], mead=[])
    assert texts(chosen).startswith("split: no training clip is left")


def test_the_first_stage_stops_a_run_that_lacks_something_and_asks_only_for_what_it_will_do(folder, params,
                                                                                           monkeypatch):
    monkeypatch.delenv("PLAYMATE_COUNTED_GPUS", raising=False)
    params()
    first_stage.main()
    shutil.rmtree(folder / "cache")
    apply("paper")
    with pytest.raises(CannotSucceed) as error:
        first_stage.main()
    assert "train_audio: train_audio.trainer.gpus is 4" in str(error.value) and "liveportrait" in str(error.value)
    with monkeypatch.context() as patched:
        patched.setattr(first_stage, "standing", set)   # as after a whole run
        first_stage.main()
    (folder / "params.yaml").write_text("seed: x\n")
    with pytest.raises(ParamsError):
        first_stage.main()


@pytest.mark.e2e
def test_dvc_repro_ends_in_its_first_stage_with_the_words_of_the_plan(project, tmp_path):
    folder = copy_project(project, tmp_path, {"train_audio": {"trainer": {"workers": 3, "gpus": 3}}})
    done = subprocess.run([str(Path(sys.executable).parent / "dvc"), "repro"], cwd=folder, capture_output=True,
                          text=True, check=False, env=environment())
    words = "train_audio: train_audio.trainer.gpus is 3, this machine has"
    assert done.returncode and words in done.stdout + done.stderr
    assert "Running stage 'corpora'" not in done.stdout and not (folder / "data/embedded").exists()
    plan = subprocess.run([sys.executable, "-m", "playmate", "plan"], cwd=folder, capture_output=True, text=True,
                          check=False, env=environment())
    assert plan.returncode == 1 and words in plan.stdout
