"""What the pipeline made, in a few tables: printed by `playmate summary` and at the end of `make demo`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from evaluation.metrics.table import HEADLINE, full_label
from models.motion.clock import FPS
from pipeline.core import paths
from pipeline.core.clip_table import KEPT, REJECTED, read_clip_table


def print_summary(root: Path = Path(), console: Console | None = None) -> None:
    """Print every part that is there; a part that is not there is named with the stage that makes it."""
    console = console or Console()
    for make in (_clips, _features, _training, _evaluation, _versions):
        found = make(root)
        console.print(found if isinstance(found, Table) else f"[dim]{found}[/dim]")
    report = root / paths.REPORTS / "index.html"
    place = f"report: {report.resolve()}" if report.is_file() else _missing(paths.REPORTS / "index.html", "report")
    console.print(place, highlight=False, soft_wrap=True)


def print_lineage(model: str, console: Console | None = None) -> None:
    """Print what a registered model was made from; raises ValueError (not registered), TrackingUnavailable."""
    from pipeline.tracking.registry import lineage

    console = console or Console()
    found = lineage(model)
    table = _table(f"{found['model']} version {found['version']}, {', '.join(found['aliases']) or 'no alias'}",
                   "made from", "value")
    for name, value in {**found["made_from"], "mlflow_run": found["run_id"]}.items():
        table.add_row(name, str(value))
    console.print(table)


def _clips(root: Path) -> Table | str:
    tables = sorted((root / paths.CROPS).glob("*/clips.parquet"))
    if not tables:
        return _missing(paths.CROPS / "*" / "clips.parquet", "preprocess")
    table = _table("Clips", "corpus", "kept", "minutes", "people", "rejected, with reasons")
    for path in tables:
        rows = read_clip_table(path)
        kept = [row for row in rows if row["status"] == KEPT]
        reasons = Counter(f"{row['stage']}: {row['code']}" for row in rows if row["status"] == REJECTED)
        table.add_row(path.parent.name, str(len(kept)), f"{sum(row['frames'] or 0 for row in kept) / FPS / 60:.1f}",
                      str(len({row["identity"] for row in kept})), ", ".join(
                          f"{count} {reason}" for reason, count in sorted(reasons.items())) or "0")
    return table


def _features(root: Path) -> Table | str:
    manifests = sorted((root / paths.FEATURES).glob("*/manifest.json"))
    if not manifests:
        return _missing(paths.FEATURES / "*" / "manifest.json", "extract")
    table = _table("Features", "corpus", "clips", "frames", "shards", "MB", "rejected")
    for path in manifests:
        manifest = json.loads(path.read_text())
        motion = [shard for shard in manifest["shards"] if shard["family"] == "motion"]
        table.add_row(path.parent.name, str(sum(shard["rows"] for shard in motion)),
                      str(sum(shard["frames"] for shard in motion)), str(len(manifest["shards"])),
                      f"{sum(shard['bytes'] for shard in manifest['shards']) / 1e6:.1f}", str(len(manifest["rejects"])))
    return table


def _training(root: Path) -> Table | str:
    found = [(stage, _json(root / folder / "metrics.json"))
             for stage, folder in (("audio", paths.AUDIO_MODEL), ("emotion", paths.EMOTION_MODEL))]
    if not any(values for _, values in found):
        return _missing(paths.AUDIO_MODEL / "metrics.json", "train_audio")
    table = _table("Training", "stage", "steps", "loss, first", "last", "held-out expression", "wrong speech",
                   "parameters")
    for stage, values in found:
        if values:
            table.add_row(stage, *(_number(values.get(name)) for name in (
                "steps", "loss_first", "loss_last", "validation_expression", "validation_wrong_speech", "parameters")))
    return table


def _evaluation(root: Path) -> Table | str:
    values = _json(root / paths.EVALUATION / "metrics.json")
    if not values:
        return _missing(paths.EVALUATION / "metrics.json", "evaluate")
    table = _table("Evaluation", "metric", "value")
    for name in HEADLINE:
        if values.get(name) is not None:
            table.add_row(full_label(name), _number(values[name]))
    return table


def _versions(root: Path) -> Table | str:
    values = _json(root / paths.REGISTRATION)
    if not values:
        return _missing(paths.REGISTRATION, "register")
    table = _table("Registered models", "model", "version", "champion", "gates")
    for name, row in values.items():
        table.add_row(name, row["version"], "yes" if row["champion"] else "no",
                      "; ".join(gate["reason"] for gate in row["gates"].values()) or "none")
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.is_file() else {}


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def _missing(path: Path, stage: str) -> str:
    return f"{path} is not there yet: `dvc repro {stage}` makes it"
