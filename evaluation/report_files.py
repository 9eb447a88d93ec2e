"""What the report leaves beside the page: CSV files for DVC's plots, one flat object of numbers."""

from __future__ import annotations

from typing import Any

from evaluation import results
from evaluation.report_data import ReportData


def plot_files(data: ReportData) -> dict[str, list[dict[str, Any]]]:
    """CSV rows for DVC's plots: `loss_audio`, `loss_emotion`, `mouth` (the first clip), `mouth_all`, `long_speech`."""
    files = {f"loss_{stage}": rows for stage, rows in data.training.items()}
    if data.mouth_curves:
        first = data.mouth_curves[0]["clip_id"]
        files["mouth"] = [row for row in data.mouth_curves if row["clip_id"] == first]
        files["mouth_all"] = data.mouth_curves
    if data.long_speech:
        files["long_speech"] = data.long_speech
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
