"""`ReportData` as one self-contained HTML page and as Markdown. All text is escaped by the templates."""

from __future__ import annotations

from pathlib import Path

import jinja2

from evaluation import metric_table, report_plots, report_tables
from evaluation.published import TABLE_2, TABLE_2_COLUMNS
from evaluation.report.substitutes import validation
from evaluation.report_data import ReportData
from evaluation.report_text import interval_text, markdown_cell, number, share_text
from evaluation.results import MEASURED
from evaluation.tables import table_1

TEMPLATES = Path(__file__).with_name("templates")


def render_html(data: ReportData) -> str:
    """The page; videos and pictures are inside it."""
    return _environment().get_template("report.html.j2").render(
        data=data, groups=report_tables.metric_groups(data), headline=report_tables.headline(data),
        gallery=report_tables.gallery(data), ranked=report_tables.ranked_clips(data.clips),
        emotion_video=report_tables.video(data, "emotions"), pose_video=report_tables.video(data, "poses"),
        emotion_rows=data.emotions, by_emotion=report_tables.by_emotion(data.emotions),
        true_emotions=data.true_emotions, curves=report_plots.training_plots(data),
        distributions=report_plots.distribution_plots(data), measured=report_plots.measured_plots(data),
        rejects=report_tables.reject_rows(data), ablation=report_tables.table(data.ablation),
        variants=report_tables.table(data.variants), long_plots=report_plots.long_plots(data),
        paper=table_1(report_tables.values(data), "This model", "test split"),
        paper_grid={"columns": TABLE_2_COLUMNS, "rows": TABLE_2}, validation=validation(),
        changes=[{"label": metric_table.full_label(row.metric), "row": row} for row in data.changes],
        people=len({row["identity"] for row in data.clips if row["status"] == MEASURED}),
        kept_total=sum(row["kept"] for row in data.counts), seen_total=sum(row["seen"] for row in data.counts))


def render_markdown(data: ReportData) -> str:
    """A short form for pull requests."""
    return _environment().get_template("report.md.j2").render(
        data=data, metrics=report_tables.metric_rows(data), by_emotion=report_tables.by_emotion(data.emotions))


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, autoescape=jinja2.select_autoescape(("html", "html.j2")))
    environment.filters |= {"number": number, "interval": interval_text, "share": share_text, "cell": markdown_cell}
    return environment
