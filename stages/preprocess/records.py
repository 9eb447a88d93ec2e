"""The unit of work of preprocessing: one raw clip, named by its content, and the record of what came of it."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core import paths
from pipeline.core.atomic import write_json
from pipeline.core.data_params import ProcessLimits
from pipeline.core.fingerprint import code_of, digest, file_sha256
from pipeline.core.known_sha256 import known_sha256
from stages.preprocess.readers import ClipRow, RawCorpus, RejectRow, Row
from stages.preprocess.readers.raw import Source, is_sha256
from stages.preprocess.task import Answer, ClipTask, Columns

WEIGHTS = ("detector", "landmarks", "voice", "sync", "sync_faces")
WORKER_ERROR = "worker_error"  # a mistake of ours that a file brought to light: tried again at every run
LIMIT_CODES = ("timeout", "out_of_memory", "crash")


@dataclass(frozen=True)
class Unit:
    """A clip to process; `name` changes when its media, span or hint do."""

    row: ClipRow
    name: str
    source: Source
    media_sha256: str | None   # None: known when the file has been fetched
    media_bytes: int

    def task(self, folder: Path, media: Path, audio: Path | None) -> ClipTask:
        """What the worker is told, with the files at hand."""
        row = self.row
        return ClipTask(row.corpus, row.key, media, audio, folder, row.start_s, row.end_s, row.hint, row.box,
                        row.box_height_px)


def make_units(rows: list[Row], raw: RawCorpus) -> tuple[list[Unit], list[RejectRow]]:
    """Name the clips of all rows by their media; a row that repeats another one's key and span is rejected."""
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
        units = list(pool.map(lambda row: _unit(row, raw), clips.values()))
    return [u for u in units if isinstance(u, Unit)], rejects + [u for u in units if isinstance(u, RejectRow)]


def _unit(row: ClipRow, raw: RawCorpus) -> Unit | RejectRow:
    try:
        stamps = [raw.stamp(name) for name in (row.media, row.audio) if name is not None]
        name = digest(row.corpus, row.key, row.start_s, row.end_s, row.hint, row.box, row.box_height_px, stamps)
        return Unit(row, name, raw.source, stamps[0] if is_sha256(stamps[0]) else None, raw.size(row.media))
    except OSError as error:
        return RejectRow(row.corpus, row.key, row.media, "unreadable_file", error.strerror or type(error).__name__,
                         row.identity, row.emotion)


@dataclass(frozen=True)
class WorkFolder:
    """Resumable results of one version of code, weights and parameters."""

    root: Path

    @classmethod
    def of(cls, settings: dict[str, Any]) -> WorkFolder:
        """The folder for these settings (`stages.preprocess.stage.worker_settings`)."""
        weights = [file_sha256(Path(settings[name])) for name in WEIGHTS if settings[name] is not None]
        code = code_of("stages.preprocess.clip")
        return cls(paths.WORK.absolute() / "work" / "preprocess" / digest(settings["params"]["measure"], code, weights))

    def folder(self, unit: Unit) -> Path:
        return self.root / unit.name

    def write(self, unit: Unit, answer: Answer, limits: ProcessLimits) -> None:
        """Commit a unit: its files are written already, the record says so."""
        write_json(self.folder(unit) / "record.json", answer.message() | {"limits": limits.model_dump()})

    def record(self, unit: Unit, limits: ProcessLimits, fresh: bool = False) -> Answer | None:
        """What came of a unit; None where it is not done, a file of it is gone, or another try may help it.

        `fresh`: it was written by this run, so nothing is tried again.
        """
        path = self.folder(unit) / "record.json"
        if not path.exists():
            return None
        record = json.loads(path.read_text())
        answer = Answer.of(record)
        if answer.reject and answer.reject.code == WORKER_ERROR and not fresh:
            return None
        if answer.reject and answer.reject.code in LIMIT_CODES and record["limits"] != limits.model_dump():
            return None
        return answer if all(self._is_whole(unit, piece) for piece in answer.pieces) else None

    def _is_whole(self, unit: Unit, piece: Columns) -> bool:
        files = [(self.folder(unit) / f"{piece['clip_id']}{suffix}", piece[column])
                 for suffix, column in ((".mp4", "crop_sha256"), (".wav", "speech_sha256")) if column in piece]
        return all(path.exists() and known_sha256(path) == sha256 for path, sha256 in files)
