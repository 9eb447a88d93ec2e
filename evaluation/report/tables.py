"""Rows of the report's tables and its gallery."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from markupsafe import Markup

from evaluation.metrics import table as metric_table
from evaluation.metrics.bootstrap import Interval
from evaluation.metrics.emotion import EmotionRow
from evaluation.report.data import ReportData
from evaluation.report.plots import mouth_plot
from evaluation.report.text import Seen
from evaluation.results.records import record_of
from evaluation.results.rows import GridLine, MeasuredClip, VariantLine
from pipeline.media.crops import read_crop

GALLERY = 12  # clips whose videos are on the page: the worst two thirds of them and the best third
POSTER_QUALITY = 70  # JPEG
COLUMNS = {"w_a": "w_a", "w_e": "w_e", "mouth_r": "Mouth r", "mouth_r_wrong_speech": "Wrong speech, r",
           "fid": "FID", "fvd": "FVD", "sync_c": "Sync-C", "sync_d": "Sync-D", "csim": "CSIM", "emo_a": "Emo-A, %",
           "csim_mobilefacenet": "CSIM (MobileFaceNet)", "lpips_alexnet": "LPIPS",
           "fd_efficientnet_lite0": "Fréchet (EfficientNet)", "mouth_opening_std_ratio": "Opening, share of true",
           "keypoint_jitter": "Key point jitter",
           "yaw_range_deg": "Yaw range, °", "yaw_jitter_deg": "Yaw jitter, °/frame²",
           "p_asked_facex": "P(emotion asked for), facex"}  # of the ablation's tables


@dataclass(frozen=True)
class Labelled:
    """A number under the words that a reader knows it by."""

    label: str
    value: Interval


@dataclass(frozen=True)
class MetricRow:
    """A measured metric, and what its number is read against."""

    metric: metric_table.Metric
    value: Interval
    beside: list[Labelled]


@dataclass(frozen=True)
class EmotionSeen:
    """Generated videos of one label; None where the classifier was not asked or has no such class.

    `gain` is the mean rise of its probability over the same face's neutral film; `shifted`, `agreed` are facex's
    against that film and alone, `emo_a` is HSEmotion's.
    """

    emotion: str
    videos: int
    gain: float | None
    shifted: Seen | None
    agreed: Seen | None
    emo_a: Seen | None


@dataclass(frozen=True)
class Table:
    """Columns under the names that readers know, and cells."""

    columns: list[str]
    rows: list[list[str | float | None]]


def metric_rows(data: ReportData) -> list[MetricRow]:
    """Table rows of measured metrics; what a number is read against stands in its row."""
    found = values(data)
    companions = {name for metric in metric_table.METRICS for name in metric.beside}
    return [MetricRow(metric, found[metric.name], [
        Labelled(metric_table.BY_NAME[name].label.removeprefix("… "), found[name])
        for name in metric.beside if name in found])
        for metric in metric_table.METRICS if metric.name in found and metric.name not in companions]


def metric_groups(data: ReportData) -> list[tuple[str, list[MetricRow]]]:
    """`metric_rows` under their headings."""
    groups = itertools.groupby(metric_rows(data), lambda row: metric_table.group_of(row.metric.name))
    return [(heading, list(rows)) for heading, rows in groups]


def by_emotion(rows: list[EmotionRow]) -> list[EmotionSeen]:
    """Generated videos' rows by the label that was asked for."""
    table = []
    for name in sorted({row.film.emotion for row in rows}):
        group = [row for row in rows if row.film.emotion == name]
        known = [row for row in group if row.change is not None and row.change.probability is not None]
        table.append(EmotionSeen(
            name, len(group), _mean([row.shift for row in known]),
            _count_seen([row.seen_shift for row in known], name),
            _count_seen([row.film.seen for row in known], name),
            _count_seen([row.film.emo_a_seen for row in group], name)))
    return table


def _mean(numbers: list[float | None]) -> float | None:
    found = [number for number in numbers if number is not None]
    return float(np.mean(found)) if found else None


def _count_seen(labels: list[str | None], name: str) -> Seen | None:
    found = [label for label in labels if label is not None]
    return Seen(found.count(name), len(found)) if found else None


def values(data: ReportData) -> dict[str, Interval]:
    """The measured numbers by name; none where nothing was evaluated."""
    return {} if data.summary is None else data.summary.metrics


def headline(data: ReportData) -> list[Labelled]:
    """The few numbers on top of the page."""
    found = values(data)
    return [Labelled(metric_table.full_label(name), found[name]) for name in metric_table.HEADLINE if name in found]


def ranked_clips(clips: list[MeasuredClip]) -> list[MeasuredClip]:
    """Clips, worst first: by the mean of their ranks in mouth, identity and picture, and in lost faces."""
    rows = sorted(clips, key=lambda row: row.clip_id)
    ranks = np.zeros(len(rows))
    for name, sign in (("mouth_r", 1), ("csim_mobilefacenet", 1), ("lpips_alexnet", -1), ("face_found_share", 1)):
        numbers = [row.numbers.get(name) for row in rows]
        values = np.array([np.nan if number is None else sign * number for number in numbers])
        if rows and np.isfinite(values).all():
            ranks += np.searchsorted(np.sort(values), values)  # equal values have equal ranks
    return [rows[index] for index in np.argsort(ranks, kind="stable")]


@dataclass(frozen=True)
class Film:
    """Addresses that hold a film, and the frame in its middle to be shown before it plays; height over width."""

    source: str
    poster: str
    ratio: float


@dataclass(frozen=True)
class GalleryClip:
    """A measured clip on the page: its row, its film and its mouth over time."""

    row: MeasuredClip
    video: Film | None
    curve: Markup


def gallery(data: ReportData) -> list[GalleryClip]:
    """Clips with a video, worst first, each with its curve; of a large test set the worst and the best."""
    rows = ranked_clips(data.clips)
    if len(rows) > GALLERY:
        best = GALLERY // 3
        rows = rows[:GALLERY - best] + rows[-best:]
    return [GalleryClip(row, video(data, f"{row.clip_id}_side_by_side"), mouth_plot(data, row)) for row in rows]


def table(lines: Sequence[GridLine | VariantLine]) -> Table:
    """Lines of equal columns."""
    rows = [record_of(line) for line in lines]
    return Table([COLUMNS.get(name, name.replace("_", " ")) for name in rows[0]] if rows else [],
                 [list(row.values()) for row in rows])


def thumbnail(path: Path) -> str:
    """The address that holds a picture (JPEG)."""
    return _uri(path.read_bytes(), "image/jpeg")


def video(data: ReportData, stem: str) -> Film | None:
    """A film for the page; None where it was not made."""
    path = data.videos.get(stem)
    if path is None:
        return None
    frames = read_crop(path)
    poster = cv2.imencode(".jpg", frames[len(frames) // 2][..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, POSTER_QUALITY])[1]
    return Film(_uri(path.read_bytes(), "video/mp4"), _uri(poster.tobytes(), "image/jpeg"),
                frames.shape[1] / frames.shape[2])


def _uri(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
