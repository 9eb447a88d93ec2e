"""Plots of the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from evaluation.report.data import MEASURED, ReportData
from evaluation.report.text import number
from evaluation.results.rows import MeasuredClip
from models.motion.clock import FPS
from pipeline.core.clip_table import KEPT, REJECTED
from pipeline.media import plot as drawing

LOSSES = {"loss": "s1", "validation_loss": "s2", "loss_expression": "s4", "validation_expression": "s5",
          "validation_wrong_speech": "s3"}  # columns of curve.csv -> line style
DISTRIBUTIONS = {"blinks_per_min": "Blinks per minute", "yaw_range_deg": "Yaw range within a clip, degrees",
                 "pitch_range_deg": "Pitch range within a clip, degrees",
                 "yaw_jitter_deg": "Yaw jitter, degrees per frame²"}
LONG = {"expression_error": ("Distance from the true expression", "standard deviations"),
        "yaw_jitter_deg": ("Yaw jitter", "degrees per frame²")}  # columns of long.csv -> name, unit
STYLES = ("s1", "s2", "s4", "s5", "s3")


@dataclass(frozen=True)
class TrainingPlot:
    """Losses of a stage; `first` and `last` of its loss, `metrics` of the finished training."""

    stage: str
    lines: list[drawing.Series]
    plot: Markup
    first: float
    last: float
    metrics: dict[str, Any]


@dataclass(frozen=True)
class DistributionPlot:
    """A measure of motion in training and generated clips: means and how many clips."""

    label: str
    plot: Markup
    training: float
    generated: float
    counts: dict[str, int]


@dataclass(frozen=True)
class MeasuredPlot:
    """What preprocessing measured; `only` is the sentence where all clips have one value and there is no plot."""

    label: str
    plot: Markup | None
    only: str = ""


@dataclass(frozen=True)
class LongPlot:
    """A measure over repeats of one passage, a line a model."""

    label: str
    lines: list[drawing.Series]
    plot: Markup


def mouth_plot(data: ReportData, row: MeasuredClip) -> Markup:
    """Mouth openings of one clip over time."""
    curve = [point for point in data.mouth_curves if point.clip_id == row.clip_id]
    lines = []
    for name, style in (("wrong_speech", "s3"), ("reference", "s1"), ("generated", "s2")):
        points = [(point.frame / FPS, opening) for point in curve if (opening := point.numbers.get(name)) is not None]
        lines.append(drawing.Series(name, [x for x, _ in points], [y for _, y in points], style))
    title = f"Mouth opening of clip {row.clip_id}: true and generated, r {number(row.numbers['mouth_r'])}"
    return drawing.line_plot(lines, "seconds", "mouth opening", title)


def training_plots(data: ReportData) -> list[TrainingPlot]:
    """Losses of both stages."""
    plots = []
    for stage, rows in data.training.items():
        lines: list[drawing.Series] = []
        for name, style in LOSSES.items():
            points = [(step, loss) for row in rows
                      if (step := row["step"]) is not None and (loss := row.get(name)) is not None]
            hidden = any(points == list(zip(line.x, line.y, strict=True)) for line in lines)  # below an equal one
            if points and not hidden:
                lines.append(drawing.Series(name, [x for x, _ in points], [y for _, y in points], style))
        if lines:
            first, last = lines[0].y[0], lines[0].y[-1]
            title = f"Loss of the {stage} stage over steps: {lines[0].name} from {number(first)} to {number(last)}"
            plots.append(TrainingPlot(stage, lines, drawing.line_plot(lines, "step", "loss", title), first, last,
                                      data.training_metrics.get(stage, {})))
    return plots


def distribution_plots(data: ReportData) -> list[DistributionPlot]:
    """Generated motion against the training clips'."""
    plots = []
    for name, label in DISTRIBUTIONS.items():
        groups = data.distributions.get(name)
        if groups and groups["training"] and groups["generated"]:
            means = {key: float(np.mean(values)) for key, values in groups.items()}
            title = (f"{label}: training clips mean {number(means['training'])}, generated mean "
                     f"{number(means['generated'])}")
            plot = drawing.histogram([("training", groups["training"], "s1"), ("generated", groups["generated"], "s2")],
                                 label, title, bins=16)
            plots.append(DistributionPlot(label, plot, means["training"], means["generated"],
                                          {name: len(values) for name, values in groups.items()}))
    return plots


def measured_plots(data: ReportData) -> list[MeasuredPlot]:
    """What preprocessing measured, in kept and rejected clips."""
    plots = []
    for name, groups in data.measured.items():
        label, unit = MEASURED[name]
        if len(found := {*groups[KEPT], *groups[REJECTED]}) == 1:
            plots.append(MeasuredPlot(label, None, f"{number(found.pop())} ({unit}) in every clip"))
        elif found:
            title = f"{label} in {len(groups[KEPT])} kept and {len(groups[REJECTED])} rejected clips"
            plot = drawing.histogram([(KEPT, groups[KEPT], "s1"), (REJECTED, groups[REJECTED], "s2")], unit, title)
            plots.append(MeasuredPlot(label, plot))
    return plots


def long_plots(data: ReportData) -> list[LongPlot]:
    """Error over repeats of one passage, a line a model."""
    plots, models = [], list(dict.fromkeys(row.model for row in data.long_speech))
    for name, (label, unit) in LONG.items() if models else ():
        lines = []
        for model, style in zip(models, STYLES * len(models), strict=False):
            rows = [row for row in data.long_speech if row.model == model]
            lines.append(drawing.Series(model, [row.start_s + row.seconds / 2 for row in rows],
                                    [row.numbers[name] for row in rows], style))
        title = f"{label}, over seconds of speech: " + ", ".join(
            f"{line.name} from {number(line.y[0])} to {number(line.y[-1])}" for line in lines)
        plots.append(LongPlot(label, lines, drawing.line_plot(lines, "seconds of speech", unit, title, include=0.0)))
    return plots
