"""Numbers as the report writes them."""

from __future__ import annotations

from typing import Any

from evaluation.bootstrap import Interval


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


def share_text(counts: dict[str, int] | None) -> str:
    """`3 of 4`, a dash for none."""
    return "–" if counts is None else f"{counts['hits']} of {counts['of']}"


def markdown_cell(text: Any) -> str:
    """Text that cannot break a Markdown table."""
    return str(text).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
