"""`playmate corpora check [PATH]`: what the pipeline would take from folders of videos, before anything is decoded.

Readers count clips; of a few evenly spread files the header is read (in a guarded process) for length and size. Time
and disk are estimates: rates measured on two cores with 256 px crops (`benchmarks/preprocess.py`), and what real
corpora lose to the filters is not known beforehand.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

import playmate.corpora_header as header
from pipeline.compute.guard import Failure, GuardedWorker
from pipeline.core.config import Params
from pipeline.core.data_params import Corpus, Preprocess
from pipeline.core.paths import WORK
from pipeline.storage.s3_raw import raw_objects
from stages.preprocess.readers import ClipRow, CorpusError, RawCorpus, RejectRow, open_raw, read_folder
from stages.preprocess.readers.guess import CLIPS, DATASETS, datasets_in, guess_reader
from stages.preprocess.readers.raw import REMOTE

LIMIT_S = 20.0
CPU_S_PER_FRAME = 0.009            # looking for faces, cutting, encoding
CPU_S_PER_MEGAPIXEL_FRAME = 0.004  # decoding, per source frame and megapixel
CROP_BYTES_PER_S = 75_000          # crop and speech
GB, HOUR = 1e9, 3600
USES = {"mead": "emotion", "mafw": "emotion", "hdtf": "test"}   # as the paper uses them; the others: audio
IN_THE_WILD = ("avspeech", "celebv_text", "acappella")          # where sound and lips may not belong together


@dataclass
class Found:
    """One corpus: counts, and the mean of what the headers say."""

    corpus: str
    said: Corpus               # as params.yaml says it, or would
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

    def params_line(self) -> str:
        """The line for params.yaml."""
        flow = yaml.safe_dump(self.said.model_dump(), default_flow_style=True, width=10_000, sort_keys=False)
        return f"  {self.corpus}: {flow.strip()}"

    def plain(self) -> dict:
        """The same for a script."""
        return {"name": self.corpus, **self.said.model_dump(), "clips": self.clips, "people": self.people,
                "emotions": dict(sorted(self.emotions.items())), "not_taken": dict(sorted(self.rejects.items())),
                "broken_headers": dict(sorted(self.broken.items())), "headers_read": self.looked_at,
                "seconds": self.seconds, "raw_bytes": self.bytes, "core_seconds": self.cpu_s,
                "crop_bytes": self.disk_bytes, "notes": self.notes}

    def lines(self) -> list[str]:
        """What does not fit the table, in words."""
        said = [f"not taken: {_counts_in_words(self.rejects)}"] if self.rejects else []
        if self.broken:
            said.append(f"of {self.looked_at} files whose header was read: {_counts_in_words(self.broken)}")
        return said + self.notes


def check_params(params: Params, sample: int) -> list[Found]:
    """What the corpora of params.yaml hold; one that is not there is a note of its own."""
    return [check_corpus(name, corpus, params.preprocess, sample) for name, corpus in params.corpora.items()]


def check_path(path: str, params: Params, sample: int) -> list[Found]:
    """What a folder or S3 prefix of anyone's holds, each dataset in it with a reader that fits.

    Raises CorpusError where there is nothing to read.
    """
    found = []
    for name, reader, place in _datasets(path):
        result = check_corpus(name, _suggest(reader, place), params.preprocess, sample)
        if reader == CLIPS and result.emotions:
            result.said = result.said.model_copy(update={"use": ["audio", "emotion"]})
        found.append(result)
    return found


def _datasets(path: str) -> list[tuple[str, str, str]]:
    """(name, reader, path) of every dataset at `path`."""
    if path.startswith(REMOTE):
        below = {key.partition("/")[0] for key in (entry.key for entry in raw_objects(path).entries())} & set(DATASETS)
        found = {name: name for name in sorted(below)}
        place = path.rstrip("/")
    else:
        place = os.path.abspath(os.path.expanduser(path))
        if not os.path.isdir(place):
            raise CorpusError(f"{path} is not a folder: give a folder of videos, or s3://bucket/prefix")
        found = datasets_in(Path(place))
    if found:
        return [(_name(name), reader, f"{place}/{name}") for name, reader in found.items()]
    name = _name(PurePosixPath(place).name)
    reader = guess_reader(open_raw(name, place).folder)
    if reader is None:
        raise CorpusError(f"{path} holds no video, no tar shard and no Parquet file, nor a folder named as a dataset: "
                          f"{', '.join(DATASETS)}. docs/corpora.md says what a folder must look like")
    return [(name, reader, place)]


def _suggest(reader: str, place: str) -> Corpus:
    """What params.yaml would say of it; raises CorpusError where no corpus may lie."""
    project = os.path.abspath(WORK.parent)
    inside = not place.startswith(REMOTE) and os.path.commonpath([place, project]) == project
    try:
        return Corpus.model_validate({
            "reader": reader, "path": os.path.relpath(place, project) if inside else place,
            "use": [USES.get(reader, "audio")], "singing": reader == "acappella", "sync": reader in IN_THE_WILD})
    except ValidationError as error:
        raise CorpusError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error


def _name(text: str) -> str:
    """A folder's name as a corpus may be called."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_-")[:64] or "mine"


def check_corpus(name: str, corpus: Corpus, params: Preprocess, sample: int) -> Found:
    """What one corpus holds; a folder that cannot be read is a note."""
    result = Found(name, corpus)
    try:
        raw = open_raw(name, corpus.location)
        rows = list(read_folder(corpus.reader, raw.folder))
    except CorpusError as error:
        is_to_be_made = corpus.is_embedded and not Path(corpus.location).is_dir()
        result.notes.append("not made yet: `dvc repro corpora` does" if is_to_be_made else str(error))
        return result
    clips = [row for row in rows if isinstance(row, ClipRow)]
    result.rejects = Counter(row.code for row in rows if isinstance(row, RejectRow))
    result.clips, result.people = len(clips), len({row.identity for row in clips})
    result.emotions = Counter(row.emotion for row in clips if row.emotion)
    result.bytes = sum(raw.size(name) for name in {row.media for row in clips})
    result.notes += _notes(raw)
    _estimate(result, raw, clips, params, sample)
    return result


def show(found: list[Found], console: Console, known: list[str] | None) -> None:
    """Print the table, and for folders that params.yaml does not name yet (`known`: what it names) the lines for it."""
    console.print(_table(found))
    for result in found:
        for note in result.lines():
            console.print(f"{result.corpus}: {note}", highlight=False, soft_wrap=True, markup=False)
    total, cores = sum(result.cpu_s for result in found), os.cpu_count() or 1
    console.print(f"preprocessing: about {time_text(total / cores)} on this machine's {cores} cores, crops "
                  f"{size_text(sum(r.disk_bytes for r in found))}; estimates, before any filter", highlight=False,
                  soft_wrap=True)
    if known is not None:
        console.print("\nfor params.yaml, below `corpora:` (docs/corpora.md):", highlight=False, soft_wrap=True)
        for result in found:
            instead = "   # instead of the line of that name" if result.corpus in known else ""
            console.print(f"{result.params_line()}{instead}", highlight=False, soft_wrap=True, markup=False)


def as_json(found: list[Found]) -> str:
    return json.dumps([result.plain() for result in found], indent=2, ensure_ascii=False)


def _notes(raw: RawCorpus) -> list[str]:
    said = []
    if archives := raw.folder.unread_archives:
        said.append(f"{len(archives)} archives are not read, {archives[0]} for one: unpack them")
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
    short = sum(head["seconds"] < params.measure.min_duration_s for head in good)
    result.broken += Counter({"no_sound": silent, "too_short": short})
    listed = [row.end_s - row.start_s for row in clips if row.start_s is not None and row.end_s is not None]
    whole = len(clips) - len(listed)
    if whole and not good:
        result.notes.append("length unknown: no header was read")
    mean_s = sum(head["seconds"] for head in good) / len(good) if good else 0.0
    result.seconds = sum(listed) + whole * mean_s
    pixels = sum(head["width_px"] * head["height_px"] for head in good) / len(good) / 1e6 if good else 1.0
    fps = sum(head["fps"] for head in good) / len(good) if good else 30.0
    result.cpu_s = result.seconds * (params.measure.fps * CPU_S_PER_FRAME + fps * pixels * CPU_S_PER_MEGAPIXEL_FRAME)


def _headers(raw: RawCorpus, clips: list[ClipRow], params: Preprocess, sample: int) -> list[dict]:
    step = max(1, len(clips) // max(1, sample))
    settings = {"max_side_px": params.measure.max_side_px, "max_source_s": params.measure.max_source_s}
    found = []
    with GuardedWorker(header.__name__, settings, LIMIT_S, params.limits.max_memory_gb) as worker, \
            tempfile.TemporaryDirectory() as scratch:
        for row in clips[::step][:sample]:
            answer = _header(row, raw, worker, Path(scratch))
            found.append(answer | {"apart": row.audio is not None, "name": PurePosixPath(row.media).name})
    return found


def _header(row: ClipRow, raw: RawCorpus, worker: GuardedWorker, scratch: Path) -> dict:
    try:
        path = raw.source.fetch(row.media, scratch)
    except OSError:   # inside a larger file that is not whole
        return {"code": "unreadable_file"}
    answer = worker.run({"media": str(path)})
    return {"code": answer.code} if isinstance(answer, Failure) else answer


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


def _counts_in_words(counts: Counter) -> str:
    return ", ".join(f"{count} {code}" for code, count in sorted(counts.items()))
