"""`ReportData` as one self-contained HTML page and as Markdown. All text is escaped by the templates."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from evaluation import metric_table, results, svg
from evaluation.bootstrap import Interval
from evaluation.report_data import MEASURED, ReportData
from evaluation.results import MEASURED as MEASURED_STATUS
from pipeline.clip_table import KEPT, REJECTED

TEMPLATES = Path(__file__).with_name("templates")
FPS = 25.0
HEADLINE = ("mouth_r", "mouth_r_wrong_speech", "emo_agree_facex", "csim_mobilefacenet")
LOSSES = {"loss": "s1", "validation_loss": "s2", "loss_expression": "s4", "validation_expression": "s5",
          "validation_wrong_speech": "s3"}  # columns of curve.csv -> line style
DISTRIBUTION_LABELS = {"blinks_per_min": "Blinks per minute", "yaw_range_deg": "Yaw range within a clip, degrees",
                       "pitch_range_deg": "Pitch range within a clip, degrees",
                       "yaw_jitter_deg": "Yaw jitter, degrees per frame²"}


def render_html(data: ReportData) -> str:
    """The page; videos and pictures are inside it."""
    return _environment().get_template("report.html.j2").render(
        data=data, metrics=_metric_rows(data), headline=_headline(data), gallery=_gallery(data),
        emotion_video=_video(data, "emotions"), emotion_rows=data.emotions, curves=_training_plots(data),
        distributions=_distribution_plots(data), measured=_measured_plots(data), rejects=_reject_rows(data),
        ablation=_table(data.ablation), published=metric_table.PUBLISHED,
        published_columns=metric_table.PUBLISHED_COLUMNS, kept_total=sum(row["kept"] for row in data.counts),
        seen_total=sum(row["seen"] for row in data.counts))


def render_markdown(data: ReportData) -> str:
    """A short form for pull requests."""
    return _environment().get_template("report.md.j2").render(data=data, metrics=_metric_rows(data))


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, autoescape=jinja2.select_autoescape(("html", "html.j2")))
    environment.filters |= {"number": number, "interval": interval_text, "cell": _markdown_cell}
    return environment


def number(value: Any, digits: int = 3) -> str:
    """A value for a table: three significant digits, a dash for none."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 or float(value).is_integer() else f"{value:.{digits}g}"


def interval_text(interval: Interval) -> str:
    """`0.85 [0.80, 0.90]`, or the value alone where one clip gives no interval."""
    if interval.low is None:
        return number(interval.value)
    return f"{number(interval.value)} [{number(interval.low)}, {number(interval.high)}]"


def _markdown_cell(text: Any) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _metric_rows(data: ReportData) -> list[dict[str, Any]]:
    """Table rows of measured metrics; a control stands in the row of what it controls."""
    if data.summary is None:
        return []
    values = data.summary.metrics
    controls = {metric.control for metric in metric_table.METRICS}
    rows = []
    for metric in metric_table.METRICS:
        if metric.name in values and metric.name not in controls:
            control = metric_table.BY_NAME.get(metric.control or "")
            rows.append({"metric": metric, "value": values[metric.name], "control": values.get(metric.control or ""),
                         "control_label": control.label.removeprefix("… ") if control else ""})
    return rows


def _headline(data: ReportData) -> list[dict[str, Any]]:
    values = {} if data.summary is None else data.summary.metrics
    return [{"metric": metric_table.BY_NAME[name], "value": values[name]} for name in HEADLINE if name in values]


def _gallery(data: ReportData) -> list[dict[str, Any]]:
    """Clips with a video, worst mouth first, each with its curve."""
    measured = [row for row in data.clips if row["status"] == MEASURED_STATUS]
    rows = sorted(measured, key=lambda row: row["mouth_r"])
    return [{"row": row, "video": _video(data, f"{row['clip_id']}_side_by_side"), "curve": _mouth_plot(data, row)}
            for row in rows]


def _mouth_plot(data: ReportData, row: dict[str, Any]) -> Markup:
    curve = [point for point in data.mouth_curves if point["clip_id"] == row["clip_id"]]
    lines = []
    for name, style in (("wrong_speech", "s3"), ("reference", "s1"), ("generated", "s2")):
        points = [(point["frame"] / FPS, point[name]) for point in curve if point.get(name) is not None]
        lines.append(svg.Series(name, [x for x, _ in points], [y for _, y in points], style))
    title = f"Mouth opening of clip {row['clip_id']}: true and generated, r {number(row['mouth_r'])}"
    return svg.line_plot(lines, "seconds", "mouth opening", title)


def _training_plots(data: ReportData) -> list[dict[str, Any]]:
    plots = []
    for stage, rows in data.training.items():
        lines = []
        for name, style in LOSSES.items():
            points = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
            if points:
                lines.append(svg.Series(name, [x for x, _ in points], [y for _, y in points], style))
        if lines:
            first, last = lines[0].y[0], lines[0].y[-1]
            title = f"Loss of the {stage} stage over steps: {lines[0].name} from {number(first)} to {number(last)}"
            plots.append({"stage": stage, "lines": lines, "plot": svg.line_plot(lines, "step", "loss", title),
                          "first": first, "last": last, "metrics": data.training_metrics.get(stage, {})})
    return plots


def _distribution_plots(data: ReportData) -> list[dict[str, Any]]:
    plots = []
    for name, label in DISTRIBUTION_LABELS.items():
        groups = data.distributions.get(name)
        if groups and groups["training"] and groups["generated"]:
            means = {key: float(np.mean(values)) for key, values in groups.items()}
            title = (f"{label}: training clips mean {number(means['training'])}, generated mean "
                     f"{number(means['generated'])}")
            plot = svg.histogram([("training", groups["training"], "s1"), ("generated", groups["generated"], "s2")],
                                 label, title, bins=16)
            plots.append({"label": label, "plot": plot, **means})
    return plots


def _measured_plots(data: ReportData) -> list[dict[str, Any]]:
    plots = []
    for name, groups in data.measured.items():
        label, unit = MEASURED[name]
        if groups[KEPT] or groups[REJECTED]:
            title = f"{label} in {len(groups[KEPT])} kept and {len(groups[REJECTED])} rejected clips"
            plot = svg.histogram([(KEPT, groups[KEPT], "s1"), (REJECTED, groups[REJECTED], "s2")], unit, title)
            plots.append({"label": label, "plot": plot})
    return plots


def _reject_rows(data: ReportData) -> list[dict[str, Any]]:
    return [entry | {"pictures": [_uri(path, "image/jpeg") for path in entry["pictures"]]} for entry in data.rejects]


def _table(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"columns": list(rows[0]) if rows else [], "rows": [list(row.values()) for row in rows]}


def _video(data: ReportData, stem: str) -> str | None:
    return _uri(data.videos[stem], "video/mp4") if stem in data.videos else None


def _uri(path: Path, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def plot_files(data: ReportData) -> dict[str, list[dict[str, Any]]]:
    """CSV rows for DVC's plots: `loss_audio`, `loss_emotion`, `mouth` (the first clip) and `mouth_all`."""
    files = {f"loss_{stage}": rows for stage, rows in data.training.items()}
    if data.mouth_curves:
        first = data.mouth_curves[0]["clip_id"]
        files["mouth"] = [row for row in data.mouth_curves if row["clip_id"] == first]
        files["mouth_all"] = data.mouth_curves
    return files


def flat_metrics(data: ReportData) -> dict[str, Any]:
    """Numbers of all stages in one flat object for `dvc metrics show`."""
    flat: dict[str, Any] = {"clips_seen": sum(row["seen"] for row in data.counts),
                            "clips_kept": sum(row["kept"] for row in data.counts)}
    for stage, metrics in data.training_metrics.items():
        flat |= {f"{stage}_{name}": value for name, value in metrics.items() if isinstance(value, (int, float))}
    if data.summary is not None:
        flat |= {name: interval.value for name, interval in data.summary.metrics.items()}
    return results.rounded(flat)
