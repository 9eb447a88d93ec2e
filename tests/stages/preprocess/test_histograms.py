"""Every measure has a histogram, every threshold a line at its place, and colours say which clips meet it."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
import yaml

from pipeline.core.data_params import Thresholds
from pipeline.media.plot import LEFT, RIGHT, WIDTH
from stages.preprocess.histograms import histograms
from stages.preprocess.quality import thresholds

SVG = "{http://www.w3.org/2000/svg}"
MET, MISSED = "bar s1", "bar s2"
SPAN = WIDTH - LEFT - RIGHT


@pytest.fixture(scope="module")
def params(project):
    return Thresholds.model_validate(yaml.safe_load((project / "params.yaml").read_text())["preprocess"]["thresholds"])


def cells(text: str) -> dict[str, ElementTree.Element]:
    """Measure -> its group, of a picture that is well-formed."""
    return {group.find(f"{SVG}text").text: group for group in ElementTree.fromstring(text).iter(f"{SVG}g")}


def bars(group) -> list[tuple[float, float, str]]:
    """(left edge, height, class) of every bar."""
    return [(float(r.get("x")), float(r.get("height")), r.get("class")) for r in group.iter(f"{SVG}rect")]


def lines(group) -> list[float]:
    """Where the thresholds stand."""
    return [float(path.get("d").split()[0][1:]) for path in group.iter(f"{SVG}path") if path.get("class") == "limit"]


def test_bars_and_line_of_one_measure_by_hand(params):
    """From 0 to 60 in 30 bins: the first one holds two clips of three, the last one a single one, half as tall."""
    chosen = params.model_copy(update={"min_blur": 30.0})
    found = cells(histograms([{"blur": v} for v in (0.0, 0.0, 60.0, None)] + [{}], chosen, False))["blur"]
    (met_x, met_height, met), (missed_x, missed_height, missed) = bars(found)
    assert (met, missed) == (MET, MISSED)
    assert missed_height == pytest.approx(2 * met_height, abs=0.16)  # both are rounded to tenths
    assert [missed_x, met_x] == pytest.approx([LEFT + 0.5, LEFT + SPAN * 29 / 30 + 0.5], abs=0.06)
    assert lines(found) == [pytest.approx(LEFT + SPAN / 2, abs=0.06)]
    assert "3 clips; blurred: at least 30" in "".join(found.itertext())


def test_a_measure_with_two_thresholds_has_two_lines(params):
    found = cells(histograms([{"brightness": v} for v in (1.0, 128.0, 254.0)], params, False))["brightness"]
    assert sorted((x, kind) for x, _, kind in bars(found))[1][1] == MET
    assert [kind for *_, kind in bars(found)].count(MISSED) == 2 == len(lines(found))


def test_every_threshold_has_its_histogram_even_where_nothing_was_measured(params):
    found = cells(histograms([], params, False))
    assert {t.measure for t in thresholds(params, False)} <= set(found)
    assert all("no clip was measured" in "".join(group.itertext()) for group in found.values())


def test_the_line_of_a_singing_corpus_is_its_own(params):
    texts = ["".join(cells(histograms([{"speech_share": 0.5}], params, singing))["speech_share"].itertext())
             for singing in (False, True)]
    assert [re.search(r"no_speech: at least ([\d.]+)", text)[1] for text in texts] == [
        f"{params.min_speech_share:g}", f"{params.min_singing_share:g}"]
