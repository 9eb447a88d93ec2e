"""The weights table in words: `playmate weights list`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pipeline.weights.table import USABLE, State, Weight, verify

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Row:
    """What is printed of one row."""

    name: str
    pack: str
    state: State
    bytes: int
    licence: str
    non_commercial: bool
    needed_by: str
    source: str
    path: str

    @property
    def lacks(self) -> bool:
        return self.state not in USABLE


def print_weights(weights: Iterable[Weight], profile: str | None, as_json: bool) -> None:
    """Print the rows; of a profile's also what it lacks."""
    rows = table_rows(weights)
    if as_json:
        print(rows_as_json(rows))
        return
    from rich.console import Console

    Console().print(as_table(rows))
    if profile is not None:
        print(lacking(rows, profile))


def table_rows(weights: Iterable[Weight]) -> list[Row]:
    """Rows with the state of their files, which are read whole."""
    return [Row(w.name, w.pack, verify(w), w.bytes, w.licence, w.non_commercial, w.needed_by, w.url or w.carrier,
                str(w.path)) for w in weights]


def as_table(rows: Iterable[Row]) -> Table:
    """For a terminal."""
    from rich.table import Table

    table = Table("name", "pack", "state", "size", "licence", "needed by", "source")
    for row in rows:
        table.add_row(row.name, row.pack, row.state, f"{row.bytes / 1e6:.1f} MB" if row.bytes else "-", row.licence,
                      row.needed_by, row.source)
    return table


def rows_as_json(rows: Iterable[Row]) -> str:
    """For programs."""
    return json.dumps([asdict(row) for row in rows], indent=1)


def lacking(rows: list[Row], profile: str) -> str:
    """What a profile lacks, and the command that gets it."""
    names = [row.name for row in rows if row.lacks]
    if not names:
        return f"profile {profile} lacks none of its {len(rows)} weights"
    return (f"profile {profile} lacks {len(names)} of its {len(rows)} weights: {', '.join(names)}; get them with "
            f"`playmate weights pull --profile {profile}`")
