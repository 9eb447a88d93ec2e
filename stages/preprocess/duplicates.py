"""Near duplicates among the kept clips of a corpus: the same seconds of one file, or the same recording twice.

Two clips are one recording where both fingerprints (`stages.preprocess.likeness`), that of the pictures and that of the
sound, differ in at most a given share of bits. Candidates are found without comparing all pairs: two such sound
hashes share one of their 32 slices of 16 bits: always where less than 6 % of the bits differ, nearly always,
in 99 of 100 pairs, where 12 % do, in 60 where 20 % do. Clips that their corpus gives different emotions are never
repeats: the same speech and portrait with another expression differs in 2 % of the pictures' bits, as encodings do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from stages.preprocess.likeness import different_share

SLICE = 4                   # hex digits
MIN_OVERLAP = 0.5           # of the shorter clip's time
MAX_LENGTH_DIFFERENCE = 3   # frames; the hashes' windows are shares of a clip
DEGENERATE = {"0" * SLICE, "f" * SLICE}  # slices of silence


def near_duplicates(rows: Iterable[dict], limit: float) -> dict[str, dict[str, object]]:
    """clip_id -> reject columns of the kept rows that repeat a better one: a larger face, then the lower id.

    `limit`: share of bits that may differ; 0 finds nothing but exact repeats and overlapping times.
    """
    found: dict[str, dict[str, object]] = {}
    slices: dict[tuple[int, str], list[dict]] = defaultdict(list)
    spans: dict[str, list[dict]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (-(row["face_px"] or 0.0), row["clip_id"])):
        reason = _overlap(row, spans[row["source"]]) or _same(row, _candidates(row, slices), limit)
        if reason:
            found[row["clip_id"]] = {"stage": "quality", "code": "near_duplicate"} | reason
            continue
        spans[row["source"]].append(row)
        for key in _slices(row):
            slices[key].append(row)
    return found


def _overlap(row: dict, others: list[dict]) -> dict[str, object] | None:
    for other in others:
        shared = min(row["end_s"], other["end_s"]) - max(row["start_s"], other["start_s"])
        share = shared / min(row["end_s"] - row["start_s"], other["end_s"] - other["start_s"])
        if share > MIN_OVERLAP:
            return {"value": share, "detail": f"shares {share:.0%} of its time with clip {other['clip_id']}"}
    return None


def _same(row: dict, others: Iterable[dict], limit: float) -> dict[str, object] | None:
    for other in others:
        if abs(row["frames"] - other["frames"]) <= MAX_LENGTH_DIFFERENCE and row["emotion"] == other["emotion"]:
            share = max(different_share(row[name], other[name]) for name in ("sound_hash", "picture_hash"))
            if share <= limit:
                return {"value": share, "detail": f"the same recording as clip {other['clip_id']}: {share:.1%} of the "
                        "fingerprints' bits differ"}
    return None


def _candidates(row: dict, slices: dict) -> Iterator[dict]:
    seen: set[str] = set()
    for key in _slices(row):
        for other in slices.get(key, ()):
            if other["clip_id"] not in seen:
                seen.add(other["clip_id"])
                yield other


def _slices(row: dict) -> list[tuple[int, str]]:
    text = row["sound_hash"]
    return [(at, part) for at in range(0, len(text), SLICE) if (part := text[at:at + SLICE]) not in DEGENERATE]
