"""What extraction would compute and what it would reuse, and what that costs. Nothing is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from rich.table import Table

from feature_store.schema import FAMILIES, MOTION, SPEECH
from pipeline.core.config import Params
from pipeline.core.data_params import Corpus
from pipeline.core.paths import CROPS
from pipeline.storage import open_storage
from pipeline.weights.table import WeightsError
from stages.extract.plan import (
    Progress,
    kept_clips,
    limits_of,
    motion_fingerprint,
    speech_fingerprint,
    store_location,
    without_ray,
)
from stages.extract.progress import read_rates, read_start_s
from stages.preprocess.readers import ClipRow, CorpusError, open_raw, read_folder


def new_raw_clips(name: str, corpus: Corpus, table: Path) -> int:
    """Clips of raw files that the clip table at `table` does not name; 0 where the raw folder is not here."""
    try:
        rows = list(read_folder(corpus.reader, open_raw(name, corpus.location).folder))
    except CorpusError:  # crops that were made elsewhere are as good
        return 0
    seen = set(pq.read_table(table, columns=["source"])["source"].to_pylist())
    return sum(1 for row in rows if isinstance(row, ClipRow) and row.media not in seen)


NOTHING = "-"  # in place of a fingerprint that cannot be known yet: no stored unit has it


class ForecastError(ValueError):
    """There can be no plan; the message says why."""


@dataclass
class Line:
    """One corpus and family: clips and frames to compute, to reuse, and given up before."""

    corpus: str
    family: str
    clips: int = 0
    frames: int = 0
    reused_clips: int = 0
    reused_frames: int = 0
    given_up: int = 0


@dataclass(frozen=True)
class Forecast:
    """The whole plan; `seconds` None where no rate was ever measured."""

    lines: list[Line]
    not_preprocessed: list[str]
    notes: list[str]
    seconds: float | None

    def frames(self, family: str) -> int:
        """To be computed."""
        return sum(line.frames for line in self.lines if line.family == family)

    def workers(self, params: Params) -> int:
        """Processes that run the models."""
        return _workers(self.lines, params)

    def cost(self, price_per_hour: float) -> float | None:
        """Of the machine, in the price's currency."""
        return None if self.seconds is None else self.seconds / 3600 * price_per_hour


def forecast(params: Params, corpora: list[str] | None = None) -> Forecast:
    """What `dvc repro extract` would compute now for `corpora` (all of params.yaml).

    Raises ForecastError for a corpus that params.yaml does not name.
    """
    unknown = sorted(set(corpora or []) - set(params.corpora))
    if unknown:
        raise ForecastError(f"{', '.join(unknown)}: not among `corpora` in params.yaml: {', '.join(params.corpora)}")
    prints, notes = _fingerprints(params)
    progress = Progress(open_storage(store_location(params)), prints, limits_of(params))
    lines, missing = [], []
    for corpus in corpora or params.corpora:
        table = CROPS / corpus / "clips.parquet"
        if not table.is_file():
            missing.append(corpus)
            continue
        lines += _lines(corpus, prints, progress)
        if raw := new_raw_clips(corpus, params.corpora[corpus], table):
            notes.append(f"{corpus}: {raw} more raw clips wait for `dvc repro preprocess@{corpus}`; then plan again")
    seconds, more = _seconds(lines, prints, params)
    return Forecast(lines, missing, notes + more, seconds)


def _fingerprints(params: Params) -> tuple[dict[str, str], list[str]]:
    prints, notes = {}, []
    for family, of in ((MOTION, motion_fingerprint), (SPEECH, speech_fingerprint)):
        try:
            prints[family] = of(params)
        except (FileNotFoundError, WeightsError) as error:
            prints[family] = NOTHING
            notes.append(f"{family}: nothing can be reused yet ({error})")
    return prints, notes


def _lines(corpus: str, prints: dict[str, str], progress: Progress) -> list[Line]:
    lines = {family: Line(corpus, family) for family in FAMILIES}
    for clip in kept_clips(corpus, prints):
        frames, lost, missing = clip.row["frames"], progress.reject(clip), progress.missing(clip)
        for family, line in lines.items():
            if lost is not None:
                line.given_up += 1
            elif family in missing:
                line.clips, line.frames = line.clips + 1, line.frames + frames
            else:
                line.reused_clips, line.reused_frames = line.reused_clips + 1, line.reused_frames + frames
    return list(lines.values())


def _workers(lines: list[Line], params: Params) -> int:
    by_corpus: dict[str, int] = {}  # clips; one that lacks both families counts once
    for line in lines:
        by_corpus[line.corpus] = max(by_corpus.get(line.corpus, 0), line.clips)
    clips = sum(by_corpus.values())
    return 1 if without_ray(params, clips) else min(params.extract.actors, max(clips, 1))


def _seconds(lines: list[Line], prints: dict[str, str], params: Params) -> tuple[float | None, list[str]]:
    """start + sum over families of frames x seconds a frame / workers, from what the last extraction measured."""
    rates, total, notes = read_rates(), 0.0, []
    for family in FAMILIES:
        frames = sum(line.frames for line in lines if line.family == family)
        if frames == 0:
            continue
        if family not in rates:
            return None, [f"{family}: no rate was measured yet; extract one corpus, then plan again"]
        total += frames * rates[family].per_frame_s / _workers(lines, params)
        if rates[family].fingerprint != prints[family]:
            notes.append(f"{family}: the rate was measured with other code, weights or parameters")
    return (total + read_start_s() if total else 0.0), notes


def as_table(found: Forecast) -> Table:
    """For a terminal."""
    table = Table("corpus", "family", title="extract", title_justify="left")
    for name in ("to compute", "frames", "to reuse", "frames", "given up"):
        table.add_column(name, justify="right")
    for line in found.lines:
        table.add_row(line.corpus, line.family, *(f"{n:,}" for n in (
            line.clips, line.frames, line.reused_clips, line.reused_frames, line.given_up)))
    return table


def in_words(found: Forecast, params: Params, price_per_hour: float | None) -> list[str]:
    """The sums below the table."""
    said = [f"{corpus}: not preprocessed yet: its clips are not known" for corpus in found.not_preprocessed]
    said += found.notes
    if not found.lines:
        return said
    if not any(line.clips for line in found.lines):
        return [*said, "nothing to compute: `dvc repro extract` packs what is stored"]
    work = ", ".join(f"{found.frames(family):,} frames of {family}" for family in FAMILIES)
    if found.seconds is None:
        return [*said, f"to compute: {work}; time unknown"]
    cost = "" if price_per_hour is None else f", {found.cost(price_per_hour):.3g} at {price_per_hour:g} an hour"
    processes = "1 process" if found.workers(params) == 1 else f"{found.workers(params)} processes"
    return [*said, f"to compute: {work}, about {found.seconds:.0f} s in {processes}{cost}"]
