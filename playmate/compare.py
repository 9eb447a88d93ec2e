"""`playmate compare A B`: two registered models, or two folders of evaluations, clip by clip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from evaluation.results.compare import Difference, compare, differing_protocol
from evaluation.results.files import CLIPS, SUMMARY, read_clips

DRAWS, SEED = 10_000, 0


def print_comparison(first: str, second: str, console: Console | None = None) -> list[Difference]:
    """Print every metric's difference and what it is worth; raises ValueError where the two cannot be compared."""
    console = console or Console()
    left, right = (evaluation_folder(name) for name in (first, second))
    problems = differing_protocol(*(_protocol(folder) for folder in (left, right)))
    if problems:
        raise ValueError(f"{first} and {second} were measured differently ({', '.join(problems)}): evaluate both with "
                         "the same parameters and weights")
    found = compare(read_clips(left), read_clips(right), DRAWS, SEED)
    if not found:
        console.print(f"{first} and {second} have equal values on every clip")
        return found
    console.print(_table(first, second, found))
    real = [one for one in found if one.verdict in ("better", "worse", "differs")]
    console.print(", ".join(f"{one.metric}: {one.verdict}" for one in real)
                  or f"No difference is more than noise over {max(one.clips for one in found)} clips.")
    return found


def evaluation_folder(name: str) -> Path:
    """A folder that holds clips.parquet, or that of a registered model's evaluation, fetched."""
    if (Path(name) / CLIPS).is_file():
        return Path(name)
    from pipeline.tracking.registry import download_evaluation

    return download_evaluation(name)


def _protocol(folder: Path) -> dict[str, Any]:
    path = folder / SUMMARY
    return json.loads(path.read_text())["protocol"] if path.is_file() else {}


def _table(first: str, second: str, found: list[Difference]) -> Table:
    table = Table(title=f"{second} against {first}", title_justify="left")
    for name in ("metric", "clips", "first", "second", "difference", "95 % interval", "p (Holm)", "verdict"):
        table.add_column(name, overflow="fold")
    for one in found:
        interval = "" if one.low is None else f"{one.low:+.4g} .. {one.high:+.4g}"
        table.add_row(one.metric, str(one.clips), f"{one.first:.4g}", f"{one.second:.4g}", f"{one.gap:+.4g}", interval,
                      f"{one.p:.3g}", one.verdict)
    return table
