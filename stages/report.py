"""The report: `python -m stages.report`. Writes reports/{index.html, report.md, metrics.json, plots/*.csv}."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from evaluation.report.data import ReportData, collect
from evaluation.report.page import flat_metrics, plot_files, render_html, render_markdown
from evaluation.results import files as results
from evaluation.results.compare import Difference, compare, differing_protocol
from pipeline.core import paths
from pipeline.core.atomic import write_json, write_text
from pipeline.core.config import load_params
from pipeline.core.stage import run_as_stage
from pipeline.weights.table import weights_table
from stages.register.previous import kept_evaluation

MAX_PAGE_BYTES = 25 << 20


def main(say: Callable[[str], None] = print) -> None:
    """Collect what the stages left and write the report; parts that are missing are named in it."""
    data = collect(Path())
    data.weights = _used_weights(data)
    data.changes, data.changes_note = _changes(data)
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


def _changes(data: ReportData) -> tuple[list[Difference], str]:
    """This model against the one that was registered last, clip by clip; a note where that cannot be done."""
    if data.summary is None or not paths.REGISTRATION.is_file():
        return [], "No model has been registered before."
    params = load_params()
    name = params.register_.name
    version = json.loads(paths.REGISTRATION.read_text()).get(name, {}).get("version")
    try:
        folder = kept_evaluation(name, version) or _downloaded(name, version)
        earlier = results.read_summary(folder)
        found = compare(results.read_rows(folder / results.CLIPS), data.clips, params.evaluate.bootstrap, params.seed)
    except (OSError, ValueError) as error:
        return [], f"Version {version} of {name} cannot be compared with: {str(error).splitlines()[0]}"
    differing = differing_protocol(earlier.protocol, data.summary.protocol)
    note = f"Against version {version} of {name}, paired over clips; p by sign flips, adjusted by Holm's method."
    if not found:
        note += " Every value is equal."
    return found, note + (f" Measured differently, so with care: {', '.join(differing)}." if differing else "")


def _downloaded(name: str, version: str) -> Path:
    """The registry's own copy, where another machine registered the model; raises OSError, ValueError."""
    from pipeline.tracking.client import TrackingUnavailable
    from pipeline.tracking.registry import download_evaluation

    try:
        return download_evaluation(f"models:/{name}/{version}")
    except TrackingUnavailable as error:
        raise OSError(str(error)) from error


def _used_weights(data: ReportData) -> list[dict[str, str]]:
    """Rows of the weights table of the pack that the profile runs on."""
    pack = "paper" if data.profile == "paper" else "embedded"
    return [{"name": weight.name, "carrier": weight.carrier, "licence": weight.licence,
             "needed_by": weight.needed_by, "sha256": weight.sha256}
            for weight in weights_table().values() if weight.pack == pack]


if __name__ == "__main__":
    run_as_stage(main)
