"""Trainings that each leave a part of a little data out, and the choice that what they left out makes."""

from __future__ import annotations

import shutil
from contextlib import nullcontext

import numpy as np
import pytest
import torch
import yaml

from feature_store.reader import ClipRow, open_store
from pipeline.components.bundle import load_bundle
from pipeline.core.config import load_params
from pipeline.core.paths import SHIPPED
from playmate import folds
from playmate.folds import choose_by_folds, folds_of, parts_of
from playmate.tuned_share import Choice, best, choose_share
from stages import statistics, train_audio, train_emotion
from tests.training.toy import Untracked, make_project


def row(clip_id: str, person: str) -> ClipRow:
    return ClipRow(clip_id, "films", person, None, None, None, 100)


def test_a_part_is_a_person_or_of_one_person_a_clip():
    assert parts_of([row("b", "anna"), row("a", "anna")]) == [("a",), ("b",)]
    assert parts_of([row("c", "bert"), row("b", "anna"), row("a", "bert")]) == [("b",), ("a", "c")]


@pytest.mark.parametrize(("parts", "count"), [(0, 0), (1, 0), (2, 2), (3, 3), (4, 4), (7, 4)])
def test_every_part_is_left_out_once_and_never_learned_from_there(parts, count):
    given = [(f"{index}a", f"{index}b") for index in range(parts)]
    found = folds_of(given)
    assert len(found) == count
    assert sorted(part for fold in found for part in fold.left_out) == (given if count else [])
    for fold in found:
        missing = {clip_id for part in fold.left_out for clip_id in part}
        assert missing.isdisjoint(fold.learned) and len(fold.learned) + len(missing) == 2 * parts
    assert max((len(fold.left_out) for fold in found), default=0) - min(
        (len(fold.left_out) for fold in found), default=0) <= 1


@pytest.mark.parametrize(("half", "whole", "chosen"), [
    # three parts: t = 1.886 at 10 %; gains 0.1, 0.2, 0.3: mean 0.2, error 0.1 / sqrt(3) = 0.0577, asked for 0.109
    ([0.0, 0.0, 0.0], [0.1, 0.2, 0.3], 2),
    # 0, 0.1, 0.2: mean 0.1 with the same error is above it, and not above what three parts ask for
    ([0.0, 0.0, 0.0], [0.0, 0.1, 0.2], 0),
    ([0.1, 0.1, 0.1], [0.0, 0.1, 0.5], 1),   # 0.2 with an error of 0.153 is not believed, 0.1 without one is
    ([0.1, 0.1, 0.1], [0.2, 0.2, 0.2], 2),
    ([-0.1, -0.1, -0.1], [-0.2, -0.2, -0.2], 0), ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], 0)])
def test_the_base_is_kept_unless_training_gains_more_than_chance_makes(half, whole, chosen):
    base = np.array([0.5, 0.7, 0.6])
    assert best(np.stack([base, base + np.array(half), base + np.array(whole)])) == chosen


def test_more_parts_ask_for_less():
    """Gains of 0, 0.1, 0.2 twice: mean 0.1, error 0.0365, t = 1.476 with six parts: 0.0539."""
    gains = np.array([0.0, 0.1, 0.2] * 2)
    assert best(np.stack([np.zeros(6), np.zeros(6), gains])) == 2


@pytest.mark.parametrize("parts", [0, 1, 2])
def test_two_parts_tell_nothing(parts):
    choice = choose_share(np.stack([np.zeros(parts), np.ones(parts), np.ones(parts)]))
    assert choice.share == 0 and f"{parts} parts" in str(choice) and "the base model stays" in str(choice)


def test_a_choice_says_what_it_saw():
    assert str(Choice(0.5, ((0.4, 0.5, 0.6), (0.5, 0.6, 0.7), (0.3, 0.4, 0.5)))) == (
        "r on 3 parts that no training saw: 0.500 at 0%, 0.600 at 50%, 0.400 at 100% of the training; weights 50% of "
        "the way are taken")


def test_folds_train_on_from_the_shipped_model_and_choose(tmp_path, monkeypatch, project):
    make_project(tmp_path, project, workers=0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("training.engine.worker.tracked_run", lambda *given: nullcontext(Untracked()))
    for stage in (statistics, train_audio, train_emotion):
        stage.main(lambda text: None)
    shutil.copytree("data/models/emotion/bundle", SHIPPED)
    params = yaml.safe_load((tmp_path / "params.yaml").read_text())
    params["train_audio"]["init"] = "shipped"
    params["statistics"] |= {"init": "shipped", "own_mean": True}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    heard = []

    def listen(base, tuned, parts, max_lag_frames):
        heard.append((tuned, [clip.clip.clip_id for part in parts for clip in part]))
        return np.array([[0.0], [0.1], [0.2]])

    monkeypatch.setattr(folds, "listen", listen)
    parts = [("avspeech0",), ("avspeech1", "mead1"), ("mead2",)]
    assert choose_by_folds(load_params(), parts, lambda text: None).share == 1
    assert [ids for _, ids in heard] == [["avspeech0"], ["avspeech1", "mead1"], ["mead2"]]
    base, tuned = load_bundle(SHIPPED), heard[1][0]
    store = open_store(["avspeech", "mead"])
    of_rest = np.concatenate([store.load(name).motion[:, :-7] for name in ("avspeech0", "mead2")])
    np.testing.assert_allclose(tuned.statistics.expression.mean, of_rest.mean(axis=0), atol=1e-6)
    assert np.array_equal(tuned.statistics.expression.std, base.statistics.expression.std)
    moved = {name for name, value in tuned.model.state_dict().items()
             if not torch.equal(value, base.model.state_dict()[name])}
    assert moved and not any(name.startswith("emotion.") for name in moved)
