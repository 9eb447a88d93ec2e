"""A sheet of plots is one picture that needs nothing else."""

from __future__ import annotations

from xml.etree import ElementTree

from pipeline.media.plot import HEAD, HEIGHT, WIDTH, Cell, Series, histogram, line_plot, sheet
from training.engine.record import PANELS, plot_history

SVG = "{http://www.w3.org/2000/svg}"


def test_a_sheet_places_its_cells_in_rows_and_escapes_their_texts():
    plot = line_plot([Series("a", [0, 1], [0, 1], "s1")], "x", "y", "t")
    root = ElementTree.fromstring(sheet([Cell("a < b", plot), Cell("two", None, "nothing & none"), Cell("3", plot)], 2))
    assert root.get("viewBox") == f"0 0 {2 * WIDTH} {2 * (HEAD + HEIGHT)}"
    groups = root.findall(f"{SVG}g")
    assert [group.get("transform") for group in groups] == [
        "translate(0 0)", f"translate({WIDTH} 0)", f"translate(0 {HEAD + HEIGHT})"]
    assert [group.find(f"{SVG}text").text for group in groups] == ["a < b", "two", "3"]
    assert "nothing & none" in "".join(groups[1].itertext())


def test_parts_of_one_set_are_shares_of_all_and_groups_of_their_own():
    """One value of four, at 0, against three at 1: a quarter and three quarters, or everything twice."""
    groups = [("a", [0.0], "s1"), ("b", [1.0, 1.0, 1.0], "s2")]
    heights = {parts: [float(bar.get("height")) for bar in ElementTree.fromstring(
        histogram(groups, "x", "t", bins=2, limits=[0.5], parts=parts)).iter("rect")] for parts in (True, False)}
    assert heights[True][1] / heights[True][0] > 2.9 and heights[False][0] == heights[False][1]


def test_a_training_has_a_panel_for_each_kind_of_loss():
    history = [{"step": step, "loss": 1 / (step + 1), "loss_pose": 0.5} for step in range(3)]
    texts = ["".join(group.itertext()) for group in ElementTree.fromstring(plot_history(history)).findall(f"{SVG}g")]
    assert [title in text for title, text in zip(PANELS, texts, strict=True)] == [True] * len(PANELS)
    assert "loss_pose" in texts[0] and "not measured" in texts[3]
