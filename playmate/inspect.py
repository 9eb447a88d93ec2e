"""`playmate inspect CLIP_ID`: one clip's whole story, from the corpus' row to where its features were used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from evaluation.results.files import CLIPS, read_clips
from evaluation.results.rows import MeasuredClip
from pipeline.core import paths
from pipeline.core.clip_table import KEPT, read_clip_table
from pipeline.core.config import Params
from pipeline.core.split_table import NAME as SPLIT_NAME
from stages.preprocess.quality import thresholds

MIN_PREFIX = 6
PLACE = ("corpus", "source", "start_s", "end_s", "identity", "emotion", "level", "language", "youtube_id",
         "official_split", "community_split", "source_fps", "source_width_px", "source_height_px", "sound_damaged_s",
         "sound_missing_s", "media_sha256")
CROP = ("frames", "crop_x_px", "crop_y_px", "crop_side_px", "faces", "crop_sha256", "speech_sha256")
SHOWN_HASH = 12  # of 64 digits


def print_clip(name: str, params: Params, root: Path = Path(), console: Console | None = None) -> None:
    """Print the story of the clip whose id begins with `name`; raises ValueError where there is none or several."""
    console = console or Console()
    row = find_clip(name, root)
    console.print(f"[bold]clip {row['clip_id']}[/bold]: {_outcome(row)}", highlight=False)
    console.print(_pairs("What the corpus says", {key: row.get(key) for key in PLACE}))
    console.print(_decisions(row, params))
    console.print(_pairs("Crop", {key: row.get(key) for key in CROP} | _files(row, root)))
    console.print(_pairs("Afterwards", story(row, params, root)))


def find_clip(name: str, root: Path = Path()) -> dict[str, Any]:
    """The clip table row of a clip id, or of the one that begins with it."""
    if len(name) < MIN_PREFIX:
        raise ValueError(f"{name!r} is too short: give at least {MIN_PREFIX} characters of a clip id, or a file")
    tables = sorted((root / paths.CROPS).glob("*/clips.parquet"))
    if not tables:
        raise ValueError(f"no clip table below {paths.CROPS}: run `dvc repro preprocess` first")
    found = [row for table in tables for row in read_clip_table(table) if row["clip_id"].startswith(name)]
    if len(found) != 1:
        others = ", ".join(row["clip_id"] for row in found[:5])
        raise ValueError(f"{len(found)} clips begin with {name!r}: {others}" if found else
                         f"no clip begins with {name!r} in {len(tables)} clip tables, and no file has that name")
    return found[0]


def story(row: dict[str, Any], params: Params, root: Path = Path()) -> dict[str, Any]:
    """What happened to a clip after preprocessing: split, features, statistics, training, evaluation."""
    if row["status"] != KEPT:
        return {"split": "none: rejected clips go no further"}
    split = _split(row, root)
    return {"split": split or f"not split yet: `dvc repro {paths.SPLIT.name}`", "features": _features(row, root),
            "used for": ", ".join(_uses(row, split, params)) or "nothing", "evaluated": _evaluation_line(row, root)}


def _outcome(row: dict[str, Any]) -> str:
    if row["status"] == KEPT:
        return "kept"
    return f"rejected by {row['stage']}/{row['code']}: {row['detail']}"


def _decisions(row: dict[str, Any], params: Params) -> Table:
    table = _table("Decisions, by the thresholds of params.yaml today", "reason", "measure", "value", "wanted", "")
    corpus = params.corpora.get(row["corpus"])   # None: taken out since
    asked = thresholds(params.preprocess.thresholds, corpus is not None and corpus.singing)
    for t in asked:
        value = row.get(t.measure)
        said = "" if value is None else "missed" if t.misses(value) else "met"
        table.add_row(f"{t.stage}/{t.code}", t.measure, "unknown" if value is None else _text(value), t.wanted, said)
    if row["status"] != KEPT and row["code"] not in {t.code for t in asked}:
        table.add_row(f"{row['stage']}/{row['code']}", "", _text(row["value"]), row["detail"], "missed")
    return table


def _files(row: dict[str, Any], root: Path) -> dict[str, str]:
    folder, name = root / paths.CROPS / row["corpus"], row["clip_id"]
    candidates = (folder / f"{name}.mp4", folder / f"{name}.wav", folder / "rejects" / f"{name}.jpg")
    return {"files": ", ".join(str(path) for path in candidates if path.is_file()) or "none"}


def _split(row: dict[str, Any], root: Path) -> str | None:
    path = root / paths.SPLIT / SPLIT_NAME
    if not path.is_file():
        return None
    found = pq.read_table(path, columns=["split"], filters=[("clip_id", "=", row["clip_id"])])["split"].to_pylist()
    return found[0] if found else None


def _features(row: dict[str, Any], root: Path) -> str:
    folder = root / paths.FEATURES / row["corpus"]
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        return f"none yet: `dvc repro extract@{row['corpus']}`"
    data = json.loads(manifest.read_text())
    for reject in data.get("rejects", []):
        if reject["clip_id"] == row["clip_id"]:
            return f"rejected by {reject['stage']}/{reject['code']}: {reject['detail']}"
    shards = [shard["name"] for shard in data.get("shards", []) if _holds(folder / shard["name"], row["clip_id"])]
    return ", ".join(shards) or "in no shard that lies here"


def _holds(shard: Path, clip_id: str) -> bool:
    if not shard.is_file() or "clip_id" not in pq.read_schema(shard).names:
        return False
    return pq.read_table(shard, columns=["clip_id"], filters=[("clip_id", "=", clip_id)]).num_rows > 0


def _uses(row: dict[str, Any], split: str | None, params: Params) -> list[str]:
    stages = [f"train_{use}" for use in ("audio", "emotion") if row["corpus"] in params.used_for(use)]
    if split == "train":
        return ["statistics", *stages]
    if split == "validation":
        return [f"validation of {stage}" for stage in stages]
    return ["evaluation"] if split == "test" else []


def _evaluation_line(row: dict[str, Any], root: Path) -> str:
    folder = root / paths.EVALUATION
    if not (folder / CLIPS).is_file():
        return "no evaluation yet"
    found = [one.numbers for one in read_clips(folder)
             if isinstance(one, MeasuredClip) and one.clip_id == row["clip_id"]]
    values = {name: value for name, value in found[0].items() if isinstance(value, float)} if found else {}
    return ", ".join(f"{name} {value:.4g}" for name, value in sorted(values.items())) or "not among the evaluated clips"


def _pairs(title: str, values: dict[str, Any]) -> Table:
    table = _table(title, "", "")
    for key, value in values.items():
        if value is not None:
            table.add_row(key, value[:SHOWN_HASH] if key.endswith("sha256") else _text(value))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", title_style="bold", show_header=any(columns), box=None,
                  pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _text(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
