"""Rows of the report's tables and its gallery."""

from __future__ import annotations

import base64
import itertools
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from evaluation.metrics import table as metric_table
from evaluation.metrics.bootstrap import Interval
from evaluation.report.data import ReportData
from evaluation.report.plots import mouth_plot
from evaluation.results.files import MEASURED
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


def metric_rows(data: ReportData) -> list[dict[str, Any]]:
    """Table rows of measured metrics; what a number is read against stands in its row."""
    found = values(data)
    companions = {name for metric in metric_table.METRICS for name in metric.beside}
    return [{"metric": metric, "value": found[metric.name], "beside": [
        {"value": found[name], "label": metric_table.BY_NAME[name].label.removeprefix("… ")}
        for name in metric.beside if name in found]}
        for metric in metric_table.METRICS if metric.name in found and metric.name not in companions]


def metric_groups(data: ReportData) -> list[tuple[str, list[dict[str, Any]]]]:
    """`metric_rows` under their headings."""
    groups = itertools.groupby(metric_rows(data), lambda row: metric_table.group_of(row["metric"].name))
    return [(heading, list(rows)) for heading, rows in groups]


def by_emotion(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Generated videos' rows by the label that was asked for: how many, in how many it was seen and how much it gained.

    `shifted`, `agreed` (facex) and `emo_a` (HSEmotion) are counts {hits, of}; None where the classifier was not asked
    or has no such class.
    """
    table = []
    for name in sorted({row["emotion"] for row in rows}):
        group = [row for row in rows if row["emotion"] == name]
        known = [row for row in group if row.get("probability") is not None]
        table.append({"emotion": name, "videos": len(group), "gain": _mean([row.get("shift") for row in known]),
                      "shifted": _seen([row.get("seen_shift") for row in known], name),
                      "agreed": _seen([row.get("seen") for row in known], name),
                      "emo_a": _seen([row.get("emo_a_seen") for row in group], name)})
    return table


def _mean(numbers: list[float | None]) -> float | None:
    found = [number for number in numbers if number is not None]
    return float(np.mean(found)) if found else None


def _seen(labels: list[str | None], name: str) -> dict[str, int] | None:
    found = [label for label in labels if label is not None]
    return {"hits": found.count(name), "of": len(found)} if found else None


def values(data: ReportData) -> dict[str, Interval]:
    """The measured numbers by name; none where nothing was evaluated."""
    return {} if data.summary is None else data.summary.metrics


def headline(data: ReportData) -> list[dict[str, Any]]:
    """The few numbers on top of the page."""
    found = values(data)
    return [{"label": metric_table.full_label(name), "value": found[name]}
            for name in metric_table.HEADLINE if name in found]


def ranked_clips(clips: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Measured clips, worst first: by the mean of their ranks in mouth, identity and picture, and in lost faces."""
    rows = sorted((row for row in clips if row["status"] == MEASURED), key=lambda row: row["clip_id"])
    ranks = np.zeros(len(rows))
    for name, sign in (("mouth_r", 1), ("csim_mobilefacenet", 1), ("lpips_alexnet", -1), ("face_found_share", 1)):
        values = np.array([sign * row[name] if row.get(name) is not None else np.nan for row in rows])
        if rows and np.isfinite(values).all():
            ranks += np.searchsorted(np.sort(values), values)  # equal values have equal ranks
    return [rows[index] for index in np.argsort(ranks, kind="stable")]


def gallery(data: ReportData) -> list[dict[str, Any]]:
    """Clips with a video, worst first, each with its curve; of a large test set the worst and the best."""
    rows = ranked_clips(data.clips)
    if len(rows) > GALLERY:
        best = GALLERY // 3
        rows = rows[:GALLERY - best] + rows[-best:]
    return [{"row": row, "video": video(data, f"{row['clip_id']}_side_by_side"), "curve": mouth_plot(data, row)}
            for row in rows]


def reject_rows(data: ReportData) -> list[dict[str, Any]]:
    """Reasons of rejection with their pictures inside."""
    return [entry | {"pictures": [_uri(path.read_bytes(), "image/jpeg") for path in entry["pictures"]]}
            for entry in data.rejects]


def table(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Rows of equal keys as columns, under the names that readers know, and cells."""
    return {"columns": [COLUMNS.get(name, name.replace("_", " ")) for name in rows[0]] if rows else [],
            "rows": [list(row.values()) for row in rows]}


@dataclass(frozen=True)
class Film:
    """Addresses that hold a film, and the frame in its middle to be shown before it plays; height over width."""

    source: str
    poster: str
    ratio: float


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
