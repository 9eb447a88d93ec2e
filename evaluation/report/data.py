"""What the report shows, read from the files of the stages; a file that is not there is listed as missing."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from evaluation.metrics.emotion import EmotionRow
from evaluation.results import files as results
from evaluation.results.files import Summary
from evaluation.results.records import row_of
from evaluation.results.rows import GridLine, MeasuredClip, MouthPoint, Repeat, VariantLine
from models.motion.clock import FPS
from pipeline.core import paths
from pipeline.core.clip_table import KEPT, REJECTED, read_clip_table
from pipeline.core.config import ParamsError, parse_params
from pipeline.core.fingerprint import file_sha256
from pipeline.weights.table import Weight

THUMBNAILS_PER_REASON = 3
MEASURED = {"face_px": ("Face size", "pixels of the source"), "yaw_p95_deg": ("Head turn, 95th percentile", "degrees"),
            "blur": ("Sharpness of the crop", "variance of the Laplacian"), "brightness": ("Brightness", "mean luma"),
            "speech_share": ("Speech in the clip", "share of time"),
            "detection_share": ("Face found", "share of frames"),
            "source_fps": ("Frame rate of the source", "frames per second")}


@dataclass(frozen=True)
class CorpusCounts:
    """What preprocessing saw of a corpus and kept; identities and emotions of kept clips."""

    corpus: str
    seen: int
    kept: int
    minutes: float
    identities: int
    emotions: int


@dataclass(frozen=True)
class RejectReason:
    """Clips of a corpus that were rejected for one reason, with the words of the first, and up to three pictures."""

    corpus: str
    stage: str
    code: str
    count: int
    detail: str
    source: str
    pictures: list[Path]


@dataclass(frozen=True)
class SplitPart:
    """Size of training, validation or test."""

    split: str
    clips: int
    identities: int
    corpora: str


@dataclass
class ReportData:
    """Everything on the page. `missing` lists files that were not there."""

    profile: str = ""
    summary: Summary | None = None
    clips: list[MeasuredClip] = field(default_factory=list)
    emotions: list[EmotionRow] = field(default_factory=list)
    true_emotions: list[EmotionRow] = field(default_factory=list)
    mouth_curves: list[MouthPoint] = field(default_factory=list)
    distributions: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    videos: dict[str, Path] = field(default_factory=dict)
    training: dict[str, list[dict[str, float | None]]] = field(default_factory=dict)
    training_metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    ablation: list[GridLine] = field(default_factory=list)
    ablation_notes: list[str] = field(default_factory=list)
    variants: list[VariantLine] = field(default_factory=list)  # trained anew with one switch changed
    long_speech: list[Repeat] = field(default_factory=list)  # error over repeats of one passage
    counts: list[CorpusCounts] = field(default_factory=list)
    rejects: list[RejectReason] = field(default_factory=list)
    measured: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    split: list[SplitPart] = field(default_factory=list)
    split_notes: list[str] = field(default_factory=list)
    params: str = ""
    lineage: dict[str, str] = field(default_factory=dict)
    weights: list[Weight] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def collect(root: Path) -> ReportData:
    """Read all that the stages under project folder `root` left."""
    data = ReportData()
    for read in (_evaluation, _training, _ablation, _clip_tables, _split, _lineage):
        read(root, data)
    return data


def _evaluation(root: Path, data: ReportData) -> None:
    folder = root / paths.EVALUATION
    if not (folder / results.SUMMARY).is_file():
        data.missing.append(f"{paths.EVALUATION / results.SUMMARY} (dvc repro evaluate)")
        return
    data.summary = results.read_summary(folder)
    data.clips = [row for row in results.read_clips(folder) if isinstance(row, MeasuredClip)]
    emotions = results.read_emotions(folder) if (folder / results.EMOTIONS).is_file() else []
    data.emotions = [row for row in emotions if row.change is not None]
    data.true_emotions = [row for row in emotions if row.change is None]
    data.mouth_curves = [row_of(MouthPoint, record) for record in results.read_csv(folder / results.CURVES)]
    data.distributions = json.loads((folder / results.DISTRIBUTIONS).read_text())
    data.videos = {path.stem: path for path in sorted((folder / results.VIDEOS).glob("*.mp4"))}


def _training(root: Path, data: ReportData) -> None:
    for stage, folder in (("audio", paths.AUDIO_MODEL), ("emotion", paths.EMOTION_MODEL)):
        curve = root / folder / "curve.csv"
        if not curve.is_file():
            data.missing.append(f"{folder / 'curve.csv'} (dvc repro train_{stage})")
            continue
        data.training[stage] = results.read_csv(curve)
        if (root / folder / "metrics.json").is_file():
            data.training_metrics[stage] = json.loads((root / folder / "metrics.json").read_text())


def _ablation(root: Path, data: ReportData) -> None:
    path = root / paths.ABLATION / "ablation.csv"
    if not path.is_file():
        data.missing.append(f"{paths.ABLATION / 'ablation.csv'} (dvc repro ablate)")
        return
    data.ablation = [row_of(GridLine, record) for record in results.read_csv(path)]
    data.variants = [row_of(VariantLine, record) for record in results.read_csv(path.with_name("variants.csv"))]
    data.long_speech = [row_of(Repeat, record) for record in results.read_csv(path.with_name("long.csv"))]
    data.ablation_notes = json.loads(path.with_name("ablation.json").read_text())["notes"]


def _clip_tables(root: Path, data: ReportData) -> None:
    tables = sorted((root / paths.CROPS).glob("*/clips.parquet"))
    if not tables:
        data.missing.append(f"{paths.CROPS}/*/clips.parquet (dvc repro preprocess)")
    for table in tables:
        rows = read_clip_table(table)
        kept = [row for row in rows if row["status"] == KEPT]
        data.counts.append(CorpusCounts(
            table.parent.name, len(rows), len(kept), sum(row["frames"] or 0 for row in kept) / FPS / 60,
            len({row["identity"] for row in kept}), len({row["emotion"] for row in kept if row["emotion"]})))
        data.rejects += _rejects(table, rows)
        for name in MEASURED:
            values = data.measured.setdefault(name, {KEPT: [], REJECTED: []})
            for row in rows:
                if row[name] is not None:
                    values[row["status"]].append(row[name])


def _rejects(table: Path, rows: list[dict[str, Any]]) -> list[RejectReason]:
    """One for each (stage, code)."""
    rejected = [row for row in rows if row["status"] == REJECTED]
    entries = []
    for (stage, code), count in sorted(Counter((row["stage"], row["code"]) for row in rejected).items()):
        group = [row for row in rejected if (row["stage"], row["code"]) == (stage, code)]
        pictures = [table.parent / "rejects" / f"{row['clip_id']}.jpg" for row in group]
        entries.append(RejectReason(table.parent.name, stage, code, count, group[0]["detail"], group[0]["source"],
                                    [path for path in pictures if path.is_file()][:THUMBNAILS_PER_REASON]))
    return entries


def _split(root: Path, data: ReportData) -> None:
    path = root / paths.SPLIT / "split.parquet"
    if not path.is_file():
        data.missing.append(f"{paths.SPLIT / 'split.parquet'} (dvc repro split)")
        return
    rows, said = pq.read_table(path).to_pylist(), path.with_suffix(".json")
    data.split_notes = json.loads(said.read_text()).get("said", []) if said.is_file() else []
    for name in ("train", "validation", "test"):
        part = [row for row in rows if row["split"] == name]
        data.split.append(SplitPart(name, len(part), len({row["identity"] for row in part}),
                                    ", ".join(sorted({row["corpus"] for row in part}))))


def _profile(text: str) -> str:
    """The profile of params.yaml, with the parts that are untrained."""
    values = yaml.safe_load(text)
    try:
        return parse_params(values).stamp
    except ParamsError:  # of an older version: its name alone
        return str((values or {}).get("profile", ""))


def _lineage(root: Path, data: ReportData) -> None:
    params = root / "params.yaml"
    if params.is_file():
        data.params = params.read_text()
        data.profile = _profile(data.params)
    patterns = ("params.yaml", f"{paths.SPLIT}/split.parquet", f"{paths.FEATURES}/*/manifest.json",
                f"{paths.MODELS}/*/bundle/*", f"{paths.FACE_SPACE}/*")
    for path in (path for pattern in patterns for path in sorted(root.glob(pattern))):
        data.lineage[path.relative_to(root).as_posix()] = file_sha256(path)
