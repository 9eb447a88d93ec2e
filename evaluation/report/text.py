"""Tables in the form of the paper's, as rows of cells: ours beside the published ones, which are marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.metrics.bootstrap import Interval
from evaluation.report.published import TABLE_1, TABLE_1_COLUMNS, TABLE_1_NAMES


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


PUBLISHED_MARK = "published"


def table_1(metrics: Mapping[str, Interval], name: str, test_set: str) -> dict[str, Any]:
    """Table 1: {columns, rows}. A cell of our row is empty unless the published network gave the number; LPIPS is the
    published network everywhere. Test sets and protocols differ: the rows are no ranking."""
    ours = [metrics.get(metric) for metric in TABLE_1_NAMES]
    rows = [{"test_set": test_set, "method": name, "mark": "measured here", "values": [
        None if value is None else value.value for value in ours]}]
    for published_set, published in TABLE_1.items():
        rows += [{"test_set": published_set, "method": row[0], "mark": PUBLISHED_MARK, "values": list(row[1:])}
                 for row in published]
    return {"columns": list(TABLE_1_COLUMNS), "rows": rows}


def markdown_table(columns: list[str], rows: list[list[Any]]) -> str:
    """A GitHub table; cells are escaped."""
    lines = [[str(cell).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;") for cell in row]
             for row in (columns, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], ["---"] * len(columns), *lines[1:])) + "\n"
