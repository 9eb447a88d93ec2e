"""The unit of work of preprocessing: one raw clip, named by its content, and the record of what came of it."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import paths
from pipeline.atomic import write_json
from pipeline.config import Preprocess
from pipeline.fingerprint import digest, file_sha256
from pipeline.imports import ROOT, import_closure
from stages.faces.quality import verdict
from stages.readers import ClipRow, RejectRow, Row

WORKER = Path("stages") / "preprocess_clip.py"
THRESHOLDS = {"min_face_px", "max_yaw_p95_deg", "min_detection_share", "min_blur", "min_brightness", "max_brightness",
              "min_speech_share"}         # decided from stored measures: changing one decodes nothing again
LIMITS = {"max_decode_s", "max_memory_gb"}  # only clips that ran into one are done again
NEITHER = {"ray_min_clips"}
LIMIT_CODES = ("timeout", "out_of_memory", "crash")


@dataclass(frozen=True)
class Unit:
    """A clip to process; `name` changes when its media, span or hint do."""

    row: ClipRow
    name: str
    media: Path
    audio: Path | None
    media_sha256: str
    media_bytes: int

    def task(self, folder: Path) -> dict[str, Any]:
        row = self.row
        return {"media": str(self.media), "audio": str(self.audio) if self.audio else None, "start_s": row.start_s,
                "end_s": row.end_s, "hint": row.hint, "box": row.box, "corpus": row.corpus, "key": row.key,
                "folder": str(folder)}


def make_units(rows: list[Row], root: Path) -> tuple[list[Unit], list[RejectRow]]:
    """Hash the media of all rows; a row that repeats another one's key and span is rejected."""
    rejects = [row for row in rows if isinstance(row, RejectRow)]
    clips: dict[tuple, ClipRow] = {}
    for row in (row for row in rows if isinstance(row, ClipRow)):
        key = (row.key, row.start_s, row.end_s)
        if key in clips:
            rejects.append(RejectRow(row.corpus, f"{row.key} ({len(rejects)})", row.media, "listed_twice",
                                     "another row has the same name and times", row.identity, row.emotion))
        else:
            clips[key] = row
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        units = list(pool.map(lambda row: _unit(row, root), clips.values()))
    return [u for u in units if isinstance(u, Unit)], rejects + [u for u in units if isinstance(u, RejectRow)]


def _unit(row: ClipRow, root: Path) -> Unit | RejectRow:
    try:
        return _hashed(row, root)
    except OSError as error:
        return RejectRow(row.corpus, row.key, row.media, "unreadable_file", error.strerror or type(error).__name__,
                         row.identity, row.emotion)


def _hashed(row: ClipRow, root: Path) -> Unit:
    media, audio = root.absolute() / row.media, root.absolute() / row.audio if row.audio else None
    hashes = [file_sha256(path) for path in (media, audio) if path is not None]
    name = digest(row.corpus, row.key, row.start_s, row.end_s, row.hint, row.box, hashes)
    return Unit(row, name, media, audio, hashes[0], media.stat().st_size)


@dataclass(frozen=True)
class WorkFolder:
    """Resumable results of one version of code, weights and parameters."""

    root: Path

    @classmethod
    def of(cls, settings: dict[str, Any]) -> WorkFolder:
        """The folder for these settings: {"params": section, "detector": path, "voice": path}."""
        params = {k: v for k, v in settings["params"].items() if k not in THRESHOLDS | LIMITS | NEITHER}
        code = [file_sha256(ROOT / path) for path in sorted(import_closure(WORKER)) if path.name != "quality.py"]
        weights = [file_sha256(Path(settings[name])) for name in ("detector", "voice")]
        return cls(paths.WORK.absolute() / "work" / "preprocess" / digest(params, code, weights))

    def folder(self, unit: Unit) -> Path:
        return self.root / unit.name

    def write(self, unit: Unit, answer: dict[str, Any], params: Preprocess) -> None:
        """Commit a unit: its files are written already, the record says so."""
        limits = {name: getattr(params, name) for name in sorted(LIMITS)}
        write_json(self.folder(unit) / "record.json", answer | {"limits": limits})

    def record(self, unit: Unit, params: Preprocess) -> dict[str, Any] | None:
        """What came of a unit; None where it is not done, a file of it is gone, or today's thresholds want more."""
        path = self.folder(unit) / "record.json"
        if not path.exists():
            return None
        record = json.loads(path.read_text())
        limits = {name: getattr(params, name) for name in sorted(LIMITS)}
        if record["reject"] and record["reject"]["code"] in LIMIT_CODES and record["limits"] != limits:
            return None
        return record if all(self._is_whole(unit, piece, params) for piece in record["pieces"]) else None

    def _is_whole(self, unit: Unit, piece: dict[str, Any], params: Preprocess) -> bool:
        if piece.get("reject") or verdict(piece, params) is not None:
            return True
        files = [(self.folder(unit) / f"{piece['clip_id']}{suffix}", piece.get(column))
                 for suffix, column in ((".mp4", "crop_sha256"), (".wav", "speech_sha256"))]
        return all(sha256 and path.exists() and file_sha256(path) == sha256 for path, sha256 in files)
