"""`playmate status`: every stage's heartbeat as a table."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

from rich import box
from rich.console import Console
from rich.table import Column, Table

from pipeline.core import heartbeat
from pipeline.core.heartbeat import DIED, ELSEWHERE, FAILED, RUNNING, Beat

NEXT = {DIED: "its process is gone: `dvc repro` goes on where it was", FAILED: "`dvc repro` goes on where it was"}


def print_status(console: Console) -> None:
    """Print the state of every stage that ever ran here, the last one below."""
    beats = heartbeat.read_all()
    if not beats:
        console.print("no stage has run here yet: `dvc repro` runs them all")
        return
    table = Table(Column("stage", no_wrap=True), "state", "progress", Column("last word", no_wrap=True), box=box.SIMPLE)
    for beat in beats:
        table.add_row(*row(beat, time.time()))
    console.print(table)


def as_json() -> str:
    """The same for a script: a list of `pipeline.core.heartbeat.Beat`, times in seconds since 1970."""
    return json.dumps([asdict(beat) for beat in heartbeat.read_all()], indent=1)


def row(beat: Beat, now: float) -> tuple[str, str, str, str]:
    """Cells of one stage; they fit into 80 columns."""
    state = f"{beat.state}, process {beat.pid}" if beat.state in (RUNNING, ELSEWHERE) else beat.state
    said = []
    if beat.total:
        said = [f"{beat.done} of {beat.total} {beat.unit}", f"{beat.rate_per_s:.3g} {beat.unit}/s"]
    if beat.rejected:
        said.append(f"{beat.rejected} rejected")
    if beat.state == RUNNING and beat.left_s is not None:
        said.append(f"{span(beat.left_s)} left")
    said += filter(None, [beat.detail, NEXT.get(beat.state)])
    return beat.stage, state, ", ".join(said), f"{span(now - beat.updated)} ago"


def span(seconds: float) -> str:
    """5 s, 3 min, 2.5 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
