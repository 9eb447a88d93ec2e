"""Which stages a run reaches, and which of them stand."""

from __future__ import annotations

import subprocess
import sys

import yaml

from playmate.plan.reach import load_stages, standing, upstream


def test_the_file_names_no_stage_before_what_it_depends_on(folder):
    stages = load_stages()
    for place, name in enumerate(stages):
        assert set(upstream(stages, [name])) <= set(list(stages)[:place + 1])


def test_a_stage_reaches_all_that_it_depends_on_and_no_more(folder):
    stages = load_stages()
    assert upstream(stages, ["split"]) == ["outputs", "code", "corpora", "sources", "preprocess", "split"]
    assert {"train_audio", "extract", "face_space"} <= set(upstream(stages, ["evaluate"]))
    assert not {"ablate", "report"} & set(upstream(stages, ["evaluate"]))


def test_targets_are_those_of_dvcs_own_command_line(folder):
    """A stand-in for dvc starts a process that asks; its words are what `ps` would show."""
    ask = "from playmate.plan.reach import *; print(*targeted_stages(load_stages()))"
    dvc = folder / "dvc"
    dvc.write_text(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {ask!r}], check=True)\n")

    def asked(*words: str) -> list[str]:
        done = subprocess.run([sys.executable, str(dvc), *words], capture_output=True, text=True, check=True)
        return done.stdout.split()

    stages = load_stages()
    assert asked("repro", "preprocess@mead", "--force") == upstream(stages, ["preprocess"])
    assert asked("repro") == asked("repro", "--downstream", "split") == asked("status", "split") == list(stages)


def test_a_stage_stands_while_its_parameters_and_those_above_it_stay(folder, params):
    params()
    stages = {"code": {}, "a": {"params": ["seed"], "outs": ["data/a"]},
              "b": {"deps": ["data/a/x"], "params": ["split.test_share"], "outs": ["data/b"]},
              "c": {"foreach": "${corpora}", "do": {"deps": ["data/b"], "outs": ["data/c/${key}"]}}}
    values = yaml.safe_load((folder / "params.yaml").read_text())
    values["train_audio"]["lr"] = 1e-05
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    lock = {"a": {"params": {"params.yaml": {"seed": values["seed"], "train_audio.lr": "TINY"}},
                  "outs": [{"path": "data/a"}]},
            "b": {"params": {"params.yaml": {"split.test_share": values["split"]["test_share"]}}},
            **{f"c@{name}": {} for name in values["corpora"]}}

    def stand(**changed) -> set[str]:
        text = yaml.safe_dump({"stages": {**lock, **changed}})
        (folder / "dvc.lock").write_text(text.replace("TINY", "1e-05"))   # as DVC writes it
        return standing(stages)

    assert stand() == set()   # data/a is not there
    (folder / "data/a").mkdir(parents=True)
    assert stand() == {"a", "b", "c"}
    assert stand(b={"params": {"params.yaml": {"split.test_share": 0.7}}}) == {"a"}
    del lock["c@mead"]
    assert stand() == {"a", "b"}
    (folder / "dvc.lock").unlink()
    assert standing(stages) == set()
