"""What a team's own lists say of a clip: the columns that are known by name, whatever else stands beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from models.motion.emotions import SYNONYMS, UNION11
from stages.preprocess.readers.folder import MAX_SHOWN
from stages.preprocess.readers.manifests import number, span

COLUMNS = ("person", "emotion", "intensity", "start_s", "end_s", "language", "audio", "split")
LEVELS = {"1": 1, "low": 1, "2": 2, "medium": 2, "3": 3, "high": 3}   # MEAD's three levels, and words for them
SPLITS = {"train": "train", "training": "train", "validation": "validation", "valid": "validation",
          "val": "validation", "dev": "validation", "test": "test", "testing": "test"}


class BadColumn(ValueError):
    """A value that cannot be used; `code` is the reason of its reject row."""

    def __init__(self, code: str, detail: str):
        super().__init__(detail)
        self.code, self.detail = code, detail


@dataclass(frozen=True)
class Described:
    """The known columns of one clip; None where they say nothing."""

    person: str | None = None
    emotion: str | None = None    # core label name
    level: int | None = None      # 1-3
    start_s: float | None = None
    end_s: float | None = None
    language: str | None = None
    audio: str | None = None      # as listed
    split: str | None = None


def describe(row: Mapping[str, object]) -> Described:
    """The known columns of a row, by names of any case; raises BadColumn for a value that cannot be used."""
    values = {name: text for name, text in ((str(key).strip().lower(), text_of(row[key])) for key in row)
              if name in COLUMNS}
    times = _times(values.get("start_s"), values.get("end_s"))
    return Described(values.get("person"), emotion_of(values.get("emotion")), _level(values.get("intensity")), *times,
                     values.get("language"), values.get("audio"), _split(values.get("split")))


def text_of(value: object) -> str | None:
    """A cell as text that can be written; None for an empty one. Numbers that a table program made of counts (7.0) are
    counts again."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    plain = "".join(mark if mark.isprintable() else " " for mark in str(value)[:MAX_SHOWN])
    return plain.strip().encode("utf-8", "replace").decode() or None


def emotion_of(word: str | None) -> str | None:
    """The core label that a word of any case means; raises BadColumn that lists the accepted ones."""
    if word is None:
        return None
    label = SYNONYMS.get(word.lower(), word.lower())
    if label not in UNION11:
        raise BadColumn("bad_label", f"emotion {word[:60]!r} is not known; accepted in any case, and their synonyms "
                                     f"(docs/corpora.md): {', '.join(UNION11)}")
    return label


def _level(text: str | None) -> int | None:
    if text is None:
        return None
    level = LEVELS.get(text.lower().removesuffix(".0").removesuffix(",0"))
    if level is None:
        raise BadColumn("bad_manifest_row", f"intensity {text[:60]!r} is none of {', '.join(LEVELS)}")
    return level


def _times(start: str | None, end: str | None) -> tuple[float | None, float | None]:
    if start is None and end is None:
        return None, None
    times = span(_seconds(start or "0"), _seconds(end))
    if times is None:
        raise BadColumn("bad_manifest_row", f"start_s {start!r}, end_s {end!r}: give both in seconds, the end after "
                                            "the start, or neither for the whole file")
    return times


def _seconds(text: str | None) -> float | None:
    """A number of seconds; table programs of half the world write a decimal comma."""
    return number(text.replace(",", ".") if text is not None and text.count(",") == 1 and "." not in text else text)


def _split(text: str | None) -> str | None:
    return None if text is None else SPLITS.get(text.lower(), text)
