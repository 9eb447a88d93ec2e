"""Numbers and tables as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evaluation.metrics.bootstrap import Interval


def number(value: Any, digits: int = 3) -> str:
    """A value for a table: three significant digits, a dash for none."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 or float(value).is_integer() else f"{value:.{digits}g}"


def interval_text(interval: Interval) -> str:
    """`0.85 [0.80, 0.90]`, or the value alone where one clip gives no interval."""
    if interval.low is None:
        return number(interval.value)
    return f"{number(interval.value)} [{number(interval.low)}, {number(interval.high)}]"


@dataclass(frozen=True)
class Seen:
    """In how many of some videos a classifier saw the emotion that was asked for."""

    hits: int
    of: int


def share_text(seen: Seen | None) -> str:
    """`3 of 4`, a dash for none."""
    return "–" if seen is None else f"{seen.hits} of {seen.of}"


def markdown_cell(text: Any) -> str:
    """Text that cannot break a Markdown table."""
    return str(text).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def markdown_table(columns: list[str], rows: list[list[Any]]) -> str:
    """A GitHub table; cells are escaped."""
    lines = [[str(cell).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;") for cell in row]
             for row in (columns, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], ["---"] * len(columns), *lines[1:])) + "\n"
