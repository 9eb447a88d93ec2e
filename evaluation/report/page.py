"""`ReportData` as one self-contained HTML page and as Markdown. All text is escaped by the templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from evaluation.report import plots as report_plots
from evaluation.report import tables as report_tables
from evaluation.report.data import ReportData
from evaluation.report.published import TABLE_1_COLUMNS, TABLE_2, TABLE_2_COLUMNS, table_1
from evaluation.report.substitutes import validation
from evaluation.report.text import interval_text, markdown_cell, number, share_text
from evaluation.results import files as results
from evaluation.results.records import Record, record_of, repeat_record

TEMPLATES = Path(__file__).with_name("templates")


def render_html(data: ReportData) -> str:
    """The page; videos and pictures are inside it."""
    return _environment().get_template("report.html.j2").render(
        data=data, groups=report_tables.metric_groups(data), headline=report_tables.headline(data),
        gallery=report_tables.gallery(data), ranked=report_tables.ranked_clips(data.clips),
        emotion_video=report_tables.video(data, "emotions"), pose_video=report_tables.video(data, "poses"),
        seed_video=report_tables.video(data, "seeds"), dial_video=report_tables.video(data, "dials"),
        emotion_rows=data.emotions, by_emotion=report_tables.by_emotion(data.emotions),
        true_emotions=data.true_emotions, curves=report_plots.training_plots(data),
        distributions=report_plots.distribution_plots(data), measured=report_plots.measured_plots(data),
        ablation=report_tables.table(data.ablation),
        variants=report_tables.table(data.variants), long_plots=report_plots.long_plots(data),
        paper=table_1(report_tables.values(data), "This model", "test split"),
        paper_columns=TABLE_1_COLUMNS, grid=TABLE_2, grid_columns=TABLE_2_COLUMNS, validation=validation(),
        people=len({row.identity for row in data.clips}),
        kept_total=sum(row.kept for row in data.counts), seen_total=sum(row.seen for row in data.counts))


def render_markdown(data: ReportData) -> str:
    """A short form for pull requests."""
    return _environment().get_template("report.md.j2").render(
        data=data, metrics=report_tables.metric_rows(data), by_emotion=report_tables.by_emotion(data.emotions))


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, autoescape=jinja2.select_autoescape(("html", "html.j2")))
    environment.filters |= {"number": number, "interval": interval_text, "share": share_text, "cell": markdown_cell,
                            "thumbnail": report_tables.thumbnail}
    return environment


def plot_files(data: ReportData) -> dict[str, list[Record]]:
    """Records for DVC's plots: `loss_audio`, `loss_emotion`, `mouth` (the first clip), `mouth_all`, `long_speech`."""
    files: dict[str, list[Record]] = {}
    for stage, rows in data.training.items():
        files[f"loss_{stage}"] = [dict(row) for row in rows]
    if data.mouth_curves:
        first = data.mouth_curves[0].clip_id
        files["mouth"] = [record_of(point) for point in data.mouth_curves if point.clip_id == first]
        files["mouth_all"] = [record_of(point) for point in data.mouth_curves]
    if data.long_speech:
        files["long_speech"] = [repeat_record(row) for row in data.long_speech]
    return files


def flat_metrics(data: ReportData) -> dict[str, Any]:
    """Numbers of all stages in one flat object for `dvc metrics show`."""
    flat: dict[str, Any] = {"clips_seen": sum(row.seen for row in data.counts),
                            "clips_kept": sum(row.kept for row in data.counts)}
    for stage, metrics in data.training_metrics.items():
        flat |= {f"{stage}_{name}": value for name, value in metrics.items() if isinstance(value, (int, float))}
    if data.summary is not None:
        flat |= {name: interval.value for name, interval in data.summary.metrics.items()}
    return results.round_floats(flat)
