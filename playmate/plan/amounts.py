"""How many clips and frames a run will meet: counted where they are there, else from lists and a mean length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.core.clip_table import KEPT, read_clip_table
from pipeline.core.config import Params
from pipeline.core.data_params import Corpus
from pipeline.core.paths import CROPS
from playmate.plan.costs import CLIP_S, EMBEDDED_CLIP_S, FPS
from stages.corpora.identities import make_identities
from stages.corpora.plan import make_plans
from stages.preprocess.readers import ClipRow, CorpusError, open_raw, read_folder


@dataclass(frozen=True)
class Amount:
    """Of one corpus; `known`: kept (counted crops), listed (its lists, lengths partly assumed), none."""

    clips: int
    frames: int
    known: Literal["kept", "listed", "unknown"]


def amounts(params: Params) -> dict[str, Amount]:
    """Of every corpus."""
    return {name: _amount(name, corpus, params) for name, corpus in params.corpora.items()}


def total(found: dict[str, Amount], names: list[str] | None = None) -> Amount:
    """Of some corpora together, all if none is named."""
    chosen = [amount for name, amount in found.items() if names is None or name in names]
    known = "unknown" if any(a.known == "unknown" for a in chosen) else (
        "kept" if all(a.known == "kept" for a in chosen) else "listed")
    return Amount(sum(a.clips for a in chosen), sum(a.frames for a in chosen), known)   # type: ignore[arg-type]


def _amount(name: str, corpus: Corpus, params: Params) -> Amount:
    table = CROPS / name / "clips.parquet"
    if table.is_file():
        frames = [row["frames"] for row in read_clip_table(table, KEPT)]
        return Amount(len(frames), sum(frames), "kept")
    if corpus.is_embedded:
        clips = _embedded_clip_count(corpus.reader, params)
        return Amount(clips, round(clips * EMBEDDED_CLIP_S.value * FPS), "listed")
    try:
        rows = [row for row in read_folder(corpus.reader, open_raw(name, corpus.location).folder)
                if isinstance(row, ClipRow)]
    except CorpusError:
        return Amount(0, 0, "unknown")
    seconds = [row.end_s - (row.start_s or 0.0) if row.end_s else CLIP_S.value for row in rows]
    return Amount(len(rows), round(sum(seconds) * FPS), "listed")


def _embedded_clip_count(reader: str, params: Params) -> int:
    section = params.embedded
    plans = make_plans(make_identities(section.identities, params.seed), section.sentences, section.talking,
                       section.render_px, params.seed, section.speaker)
    return sum(plan.corpus == reader for plan in plans)
