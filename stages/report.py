"""The report: `python -m stages.report`. Writes reports/{index.html, report.md, metrics.json, plots/*.csv}."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evaluation.report.data import ReportData, collect
from evaluation.report.page import flat_metrics, plot_files, render_html, render_markdown
from evaluation.results import files as results
from pipeline.core import paths
from pipeline.core.atomic import write_json, write_text
from pipeline.core.stage import run_as_stage
from pipeline.weights.table import Weight, weights_table

MAX_PAGE_BYTES = 25 << 20


def main(say: Callable[[str], None] = print) -> None:
    """Collect what the stages left and write the report; parts that are missing are named in it.

    What changed since an earlier model is the register stage's to say, which knows of one.
    """
    data = collect(Path())
    data.weights = _used_weights(data)
    page = render_html(data)
    write_text(paths.REPORTS / "index.html", page)
    write_text(paths.REPORTS / "report.md", render_markdown(data))
    write_json(paths.REPORTS / "metrics.json", flat_metrics(data))
    for name, rows in plot_files(data).items():
        results.write_csv(paths.REPORTS / "plots" / f"{name}.csv", rows)
    size = len(page.encode())
    say(f"report: {paths.REPORTS / 'index.html'}, {size / 2**20:.1f} MB, {len(data.videos)} videos")
    if size > MAX_PAGE_BYTES:
        say(f"report: larger than {MAX_PAGE_BYTES >> 20} MB: lower evaluate.max_clips, evaluate.panel_px or raise "
            "evaluate.crf")


def _used_weights(data: ReportData) -> list[Weight]:
    """Those of the pack that the profile runs on."""
    pack = "paper" if data.profile == "paper" else "embedded"
    return [weight for weight in weights_table().values() if weight.pack == pack]


if __name__ == "__main__":
    run_as_stage(main)
