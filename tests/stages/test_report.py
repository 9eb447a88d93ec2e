"""The report stage's own part: what changed since the last registered model, without opening the registry."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.metrics.bootstrap import Interval
from evaluation.report.data import ReportData
from evaluation.results.files import Summary, write_rows, write_summary
from pipeline.core import paths
from pipeline.core.atomic import write_json
from pipeline.tracking import registry as tracking_registry
from pipeline.tracking.client import TrackingUnavailable
from stages import report
from stages.register.previous import keep_evaluation, kept_evaluation


def rows(shift: float) -> list[dict]:
    return [{"clip_id": f"c{i}", "status": "measured", "mouth_r": value + shift}
            for i, value in enumerate(np.linspace(0.2, 0.8, 9))]


@pytest.fixture
def registered(tmp_path, monkeypatch, project):
    """A project in which version 3 was registered with an evaluation; the registry itself is away."""
    def away(model, root=None):
        raise TrackingUnavailable("the model registry cannot be used")

    (tmp_path / "params.yaml").write_text((project / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tracking_registry, "download_evaluation", away)
    write_rows(paths.EVALUATION / "clips.parquet", rows(0.0))
    write_summary(paths.EVALUATION, Summary({"mouth_r": Interval(0.5, 0.4, 0.6, 9)}, {"fps": 25}, 9))
    keep_evaluation("playmate", "3")
    write_json(paths.REGISTRATION, {"playmate": {"version": "3"}})
    return ReportData(summary=Summary({}, {"fps": 25}, 9), clips=rows(0.1))


def test_changes_come_from_the_kept_copy(registered):
    [change], note = report._changes(registered)
    assert change.metric == "mouth_r" and change.gap == pytest.approx(0.1) and change.verdict == "better"
    assert note.startswith("Against version 3 of playmate") and "with care" not in note


def test_another_protocol_is_named(registered):
    registered.summary.protocol["fps"] = 30
    assert "fps (25 and 30)" in report._changes(registered)[1]


def test_without_the_copy_and_the_registry_the_page_says_so(registered):
    write_json(paths.REGISTRATION, {"playmate": {"version": "4"}})
    assert kept_evaluation("playmate", "4") is None
    found, note = report._changes(registered)
    assert found == [] and "Version 4 of playmate cannot be compared with: the model registry" in note


def test_only_the_last_versions_evaluation_is_kept(registered):
    keep_evaluation("playmate", "4")
    assert kept_evaluation("playmate", "4") and kept_evaluation("playmate", "3") is None
