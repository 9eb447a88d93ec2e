"""Manifests of others as text, rows and numbers: whatever stands in them, the worst is a row that is rejected."""

from __future__ import annotations

import codecs
import csv
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import SupportsFloat

from stages.preprocess.readers.rows import CorpusError

MAX_MANIFEST_BYTES = 512 << 20
MAX_LINE, SHOWN = 100_000, 100   # a longer line is no row; so much of it is shown
MARKS = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
         (codecs.BOM_UTF16_BE, "utf-16"), (codecs.BOM_UTF8, "utf-8-sig"))   # longer ones first
YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")


def read_text(path: Path) -> str:
    """Text of a manifest, with line feeds; huge files are refused.

    UTF-8, or what a byte-order mark says (Excel's "Unicode text" is UTF-16); a line that is no UTF-8 is taken as
    Windows-1252, so that people whose names differ by a letter stay two.
    """
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise CorpusError(f"{path} is larger than {MAX_MANIFEST_BYTES >> 20} MiB: this is not a manifest")
    data = path.read_bytes()
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), None)
    if encoding is not None:
        text = data.decode(encoding, errors="replace")
    else:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = "\n".join(map(_line, data.split(b"\n")))
    return text if "\n" in text else text.replace("\r", "\n")   # old Macs' line ends


def _line(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of a CSV; blank lines are left out, an overlong line becomes a row of one cell."""
    for number, line in enumerate(_raw_lines(path), start=1):
        if len(line) > MAX_LINE:
            yield number, [line[:SHOWN]]
        elif line.strip():
            yield number, [cell.strip() for cell in next(csv.reader([line]))]


def lines(path: Path) -> list[str]:
    """Lines of a manifest; of an overlong one the beginning."""
    return [line if len(line) <= MAX_LINE else line[:SHOWN] for line in _raw_lines(path)]


def _raw_lines(path: Path) -> list[str]:
    """Only line feeds end a line: titles hold other characters that Python takes for line ends."""
    return [line.removesuffix("\r").replace("\r", " ") for line in read_text(path).split("\n")]


def read_json(path: Path) -> dict:
    """A JSON dictionary; raises CorpusError that names the file."""
    try:
        data = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:  # ValueError: an integer of thousands of digits, too
        raise CorpusError(f"{path} is not valid JSON ({error}): download it again") from error
    if not isinstance(data, dict):
        raise CorpusError(f"{path} holds a {type(data).__name__}, expected a dictionary")
    return data


def number(text: object) -> float | None:
    """A finite number, else None."""
    if isinstance(text, bool) or not isinstance(text, str | bytes | SupportsFloat):
        return None
    try:
        value = float(text)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def span(start: float | None, end: float | None) -> tuple[float, float] | None:
    """(start, end) in seconds where both are finite, not negative and in order, else None."""
    if start is None or end is None or start < 0 or end <= start or end > 1e6:
        return None
    return start, end
