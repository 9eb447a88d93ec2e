"""`playmate corpora check ROOT`: what the pipeline would take from dataset folders, before anything is decoded.

Readers count clips; of a few evenly spread files the header is read (in a guarded process) for length and size. Time
and disk are estimates: rates measured on two cores with 256 px crops (`benchmarks/preprocess.py`), and what real
corpora lose to the filters is not known beforehand.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from rich.console import Console
from rich.table import Table

from pipeline.compute.guard import Failure, GuardedWorker
from pipeline.core.config import Preprocess
from playmate import corpora_header as header
from stages.preprocess.readers import READ, ClipRow, CorpusError, RawCorpus, RejectRow, open_raw, read_folder
from stages.preprocess.readers.raw import REMOTE

LIMIT_S = 20.0
CPU_S_PER_FRAME = 0.009            # looking for faces, cutting, encoding
CPU_S_PER_MEGAPIXEL_FRAME = 0.004  # decoding, per source frame and megapixel
CROP_BYTES_PER_S = 75_000          # crop and speech
GB, HOUR = 1e9, 3600


@dataclass
class Found:
    """One corpus: counts, and the mean of what the headers say."""

    corpus: str
    clips: int = 0
    people: int = 0
    emotions: Counter = field(default_factory=Counter)
    rejects: Counter = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    bytes: int = 0
    looked_at: int = 0
    broken: Counter = field(default_factory=Counter)
    seconds: float = 0.0       # of all clips, estimated
    cpu_s: float = 0.0

    @property
    def disk_bytes(self) -> float:
        return self.seconds * CROP_BYTES_PER_S

    def lines(self) -> list[str]:
        """What does not fit the table, in words."""
        said = [f"not taken: {_counted(self.rejects)}"] if self.rejects else []
        if self.broken:
            said.append(f"of {self.looked_at} files whose header was read: {_counted(self.broken)}")
        return said + self.notes


def check(root: str, params: Preprocess, sample: int, console: Console | None = None) -> list[Found]:
    """Print the table for every corpus below `root`; raises CorpusError where there is none."""
    console = console or Console()
    found = [result for corpus in READ if (result := check_corpus(root, corpus, params, sample)) is not None]
    if not found:
        raise CorpusError(f"{root} holds none of {', '.join(READ)}: put each dataset at {root}/<name>")
    console.print(_table(found))
    for result in found:
        for note in result.lines():
            console.print(f"{result.corpus}: {note}", highlight=False, soft_wrap=True)
    total, cores = sum(result.cpu_s for result in found), os.cpu_count() or 1
    console.print(f"preprocessing: about {time_text(total / cores)} on this machine's {cores} cores, crops "
                  f"{size_text(sum(r.disk_bytes for r in found))}; estimates, before any filter", highlight=False,
                  soft_wrap=True)
    return found


def check_corpus(root: str, corpus: str, params: Preprocess, sample: int) -> Found | None:
    """What one corpus holds; None where its folder is not there."""
    if not root.startswith(REMOTE) and not (Path(root) / corpus).is_dir():
        return None
    result = Found(corpus)
    try:
        raw = open_raw(root, corpus)
        rows = list(read_folder(raw.folder))
    except CorpusError as error:
        if root.startswith(REMOTE) and "nothing below" in str(error):
            return None
        result.notes.append(str(error))
        return result
    clips = [row for row in rows if isinstance(row, ClipRow)]
    result.rejects = Counter(row.code for row in rows if isinstance(row, RejectRow))
    result.clips, result.people = len(clips), len({row.identity for row in clips})
    result.emotions = Counter(row.emotion for row in clips if row.emotion)
    result.bytes = sum(raw.size(name) for name in {row.media for row in clips})
    result.notes += _notes(raw)
    _estimate(result, raw, clips, params, sample)
    return result


def _notes(raw: RawCorpus) -> list[str]:
    said = []
    if raw.folder.archives:
        said.append(f"{len(raw.folder.archives)} archives are not read, {raw.folder.archives[0]} for one: unpack them")
    if raw.folder.unused_sounds:
        said.append(f"{raw.folder.unused_sounds} sound files belong to no clip")
    return said


def _estimate(result: Found, raw: RawCorpus, clips: list[ClipRow], params: Preprocess, sample: int) -> None:
    """Lengths from the rows where they say them, from the headers of a sample elsewhere; none in S3."""
    heads = [] if raw.source.location.startswith(REMOTE) else _headers(raw, clips, params, sample)
    good = [head for head in heads if "code" not in head]
    result.looked_at = len(heads)
    result.broken = Counter(head["code"] for head in heads if "code" in head)
    silent = sum(not head["sound"] and not head["apart"] for head in good)
    short = sum(head["seconds"] < params.min_duration_s for head in good)
    result.broken += Counter({"no_sound": silent, "too_short": short})
    listed = [row.end_s - row.start_s for row in clips if row.start_s is not None and row.end_s is not None]
    whole = len(clips) - len(listed)
    if whole and not good:
        result.notes.append("length unknown: no header was read")
    mean_s = sum(head["seconds"] for head in good) / len(good) if good else 0.0
    result.seconds = sum(listed) + whole * mean_s
    pixels = sum(head["width_px"] * head["height_px"] for head in good) / len(good) / 1e6 if good else 1.0
    fps = sum(head["fps"] for head in good) / len(good) if good else 30.0
    result.cpu_s = result.seconds * (params.fps * CPU_S_PER_FRAME + fps * pixels * CPU_S_PER_MEGAPIXEL_FRAME)


def _headers(raw: RawCorpus, clips: list[ClipRow], params: Preprocess, sample: int) -> list[dict]:
    step = max(1, len(clips) // max(1, sample))
    settings = {"max_side_px": params.max_side_px, "max_source_s": params.max_source_s}
    found = []
    with GuardedWorker(header.__name__, settings, LIMIT_S, params.max_memory_gb) as worker, \
            tempfile.TemporaryDirectory() as scratch:
        for row in clips[::step][:sample]:
            answer = worker.run({"media": str(raw.source.fetch(row.media, Path(scratch)))})
            if isinstance(answer, Failure):
                answer = {"code": answer.code}
            found.append(answer | {"apart": row.audio is not None, "name": PurePosixPath(row.media).name})
    return found


def _table(found: list[Found]) -> Table:
    table = Table(title="What would be taken", title_justify="left", title_style="bold", box=None, pad_edge=False,
                  padding=(0, 1, 0, 0))  # 80 columns hold it, whatever the numbers
    for column in ("corpus", "clips", "not\ntaken", "people", "emo-\ntions", "length", "raw", "core\ntime", "crops"):
        table.add_column(column, justify="left" if column == "corpus" else "right", no_wrap=True)
    for r in found:
        table.add_row(r.corpus, f"{r.clips:,}", f"{sum(r.rejects.values()):,}", f"{r.people:,}",
                      str(len(r.emotions) or "-"), time_text(r.seconds), size_text(r.bytes), time_text(r.cpu_s),
                      size_text(r.disk_bytes))
    return table


def time_text(seconds: float) -> str:
    """A duration in the unit that suits it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:,.0f} h"


def size_text(count: float) -> str:
    """Bytes in the unit that suits them."""
    if count < GB:
        return f"{count / 1e6:.1f} MB"
    return f"{count / GB:,.1f} GB" if count < 1000 * GB else f"{count / GB / 1000:,.1f} TB"


def _counted(counts: Counter) -> str:
    return ", ".join(f"{count} {code}" for code, count in sorted(counts.items()))
