"""Every measure has a histogram, every threshold a line at its place, and colours say on which side a bar stands."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
import yaml

from pipeline.core.config import Preprocess
from stages.preprocess.histograms import LEFT, PLOT_WIDTH, histograms
from stages.preprocess.quality import thresholds

SVG = "{http://www.w3.org/2000/svg}"
MISSED, MET = "#d95f02", "#1f78b4"


@pytest.fixture(scope="module")
def params(project):
    return Preprocess.model_validate(yaml.safe_load((project / "params.yaml").read_text())["preprocess"])


def cells(text: str) -> dict[str, ElementTree.Element]:
    """Measure -> its group, of a picture that is well-formed."""
    return {group.find(f"{SVG}text").text: group for group in ElementTree.fromstring(text).iter(f"{SVG}g")}


def bars(group) -> list[tuple[float, float, str]]:
    """(left edge, height, colour) of every bar."""
    return [(float(r.get("x")), float(r.get("height")), r.get("fill")) for r in group.iter(f"{SVG}rect")]


def test_bars_and_line_of_one_measure_by_hand(params):
    chosen = params.model_copy(update={"min_blur": 30.0})
    found = cells(histograms([{"blur": v} for v in (0.0, 0.0, 60.0, None)] + [{}], chosen, False))["blur"]
    # from 0 to 60 in 30 bins: the first one holds two clips, the last one a single one, half as tall
    assert bars(found) == [(LEFT, 100.0, MISSED), (pytest.approx(LEFT + PLOT_WIDTH * 29 / 30, abs=0.06), 50.0, MET)]
    [line] = found.iter(f"{SVG}line")
    assert float(line.get("x1")) == pytest.approx(LEFT + PLOT_WIDTH / 2) and line.find(f"{SVG}title").text == \
        "blurred: at least 30"
    assert any("3 clips; at least 30" in (text.text or "") for text in found.iter(f"{SVG}text"))


def test_a_measure_with_two_thresholds_has_two_lines(params):
    found = cells(histograms([{"brightness": v} for v in (1.0, 128.0, 254.0)], params, False))["brightness"]
    assert [colour for *_, colour in bars(found)] == [MISSED, MET, MISSED]
    assert len(list(found.iter(f"{SVG}line"))) == 2


def test_every_threshold_has_its_histogram_even_where_nothing_was_measured(params):
    found = cells(histograms([], params, False))
    assert {t.measure for t in thresholds(params, False)} <= set(found)
    assert all("no clip was measured" in "".join(group.itertext()) for group in found.values())


def test_the_line_of_a_singing_corpus_is_its_own(params):
    texts = ["".join(cells(histograms([{"speech_share": 0.5}], params, singing))["speech_share"].itertext())
             for singing in (False, True)]
    assert [re.search(r"no_speech: at least ([\d.]+)", text)[1] for text in texts] == [
        f"{params.min_speech_share:g}", f"{params.min_singing_share:g}"]
