"""What changed since the model that was registered before, without opening the registry where it need not be."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.metrics.bootstrap import Interval
from evaluation.results.files import Summary, write_clips, write_summary
from pipeline.core import paths
from pipeline.core.config import load_params
from pipeline.tracking.client import TrackingUnavailable
from stages.register import previous
from stages.register.model_card import changes_lines
from stages.register.previous import Changes, changes_since_last, keep_evaluation, kept_evaluations
from tests.evaluation.fakes import measured_clip


def evaluated(shift: float, fps: int = 25) -> None:
    """An evaluation of nine clips in the project's folder."""
    write_clips(paths.EVALUATION, [
        measured_clip(f"c{i}", mouth_r=value + shift) for i, value in enumerate(np.linspace(0.2, 0.8, 9))])
    write_summary(paths.EVALUATION, Summary({"mouth_r": Interval(0.5, 0.4, 0.6, 9)}, {"fps": fps}, 9))


@pytest.fixture
def registered(tmp_path, monkeypatch, project):
    """A project in which version 3 with bundle `b3` was registered with an evaluation; the registry must not be asked.
    Gives what is said of the next bundle."""
    (tmp_path / "params.yaml").write_text((project / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(previous, "lineage", lambda model: pytest.fail("the registry was asked"))
    evaluated(0.0)
    keep_evaluation("playmate", "3", "b3")
    return lambda digest="b4": changes_since_last("playmate", digest, load_params())


def test_changes_come_from_the_kept_copy(registered):
    evaluated(0.1)
    changes = registered()
    [change] = changes.found
    assert change.metric == "mouth_r" and change.gap == pytest.approx(0.1) and change.verdict == "better"
    assert changes.note.startswith("Against version 3 of playmate") and "with care" not in changes.note
    assert "| Mouth follows speech, r | 0.5 | 0.6 | +0.1 |" in changes_lines(changes)[1]


def test_a_bundle_that_is_registered_again_is_compared_as_the_first_time(registered):
    evaluated(0.1)
    first = registered("b4")
    keep_evaluation("playmate", "4", "b4")
    assert registered("b4") == first


def test_another_protocol_is_named(registered):
    evaluated(0.1, fps=30)
    assert "fps (25 and 30)" in registered().note


def test_equal_values_are_said_to_be_equal(registered):
    changes = registered()
    assert changes.found == () and changes.note.endswith("Every value is equal.")
    assert changes_lines(changes) == [changes.note]


def test_what_another_machine_registered_comes_from_the_registry(registered, monkeypatch):
    [kept] = kept_evaluations("playmate")
    moved = kept.folder.rename(paths.EVALUATION.parent / "fetched")
    monkeypatch.setattr(previous, "lineage", lambda model: {"version": "7", "made_from": {"bundle_digest": "b7"}})
    monkeypatch.setattr(previous, "download_evaluation", lambda model: moved)
    evaluated(0.1)
    assert registered().note.startswith("Against version 7 of playmate")
    assert registered("b7") == Changes("No other model has been registered before.")

    def nothing(model):
        raise ValueError("playmate version 7 was registered without its evaluation: ...")

    monkeypatch.setattr(previous, "download_evaluation", nothing)
    assert registered().note.startswith("Version 7 of playmate cannot be compared with: playmate version 7 was")

    def away(model):
        raise TrackingUnavailable("the model registry cannot be used")

    monkeypatch.setattr(previous, "lineage", away)
    with pytest.raises(TrackingUnavailable):
        registered()


def test_the_first_model_and_one_without_rows_have_nothing_to_compare(registered, monkeypatch):
    def unknown(model):
        raise ValueError("nothing is registered")

    monkeypatch.setattr(previous, "lineage", unknown)
    assert changes_since_last("other", "b", load_params()).note == "No other model has been registered before."
    (paths.EVALUATION / "clips.parquet").unlink()
    assert registered().note == "This model was not evaluated clip by clip."


def test_only_the_last_versions_evaluations_are_kept(registered):
    for version in ("9", "10"):
        keep_evaluation("playmate", version, f"b{version}")
    assert [(one.version, one.digest) for one in kept_evaluations("playmate")] == [("10", "b10"), ("9", "b9")]
