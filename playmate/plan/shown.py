"""The plan of the whole graph for a terminal, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from pipeline.core.config import Params
from playmate.plan import extraction
from playmate.plan.costs import GPU_GB
from playmate.plan.graph import Graph, StagePlan, plan_graph
from playmate.plan.needs import refusal


def print_plan(params: Params, corpora: list[str] | None, price: float | None, as_json: bool) -> bool:
    """Print extraction's part clip by clip, then the whole graph unless `corpora` are named; False where a run of it
    lacks something. `price`: of this machine or cluster, an hour."""
    graph = None if corpora else plan_graph(params)
    if graph and as_json:
        print(graph_as_json(graph))
        return not graph.lacks
    clips, console = extraction.forecast(params, corpora), Console()
    if clips.lines:
        console.print(extraction.as_table(clips))
    print(*extraction.in_words(clips, params, price), sep="\n")
    if graph:
        console.print(as_table(graph))
        print(*in_words(graph, params), sep="\n")
    return not (graph and graph.lacks)


def as_table(graph: Graph) -> Table:
    """One line a stage."""
    table = Table("stage", "work", title="dvc repro", title_justify="left")
    for name in ("cores", "GPUs", "memory of each", "fits", "hours", "disk"):
        table.add_column(name, justify="right", overflow="fold")
    for row in graph.stages:
        table.add_row(row.stage, "as it is" if row.stands else row.work, *_numbers(row))
    return table


def _numbers(row: StagePlan) -> Iterable[str]:
    if row.stands:
        return [""] * 6
    return (str(row.cores), f"{row.gpus:g}" if row.gpus else "-", f"{row.gpu_gb:.3g} GB" if row.gpu_gb else "-",
            f"{row.fits:,}" if row.fits is not None else "-", "-" if row.hours is None else f"{row.hours:.2g}",
            f"{row.disk_gb:.2g} GB" if row.disk_gb else "-")


def in_words(graph: Graph, params: Params) -> list[str]:
    """Below the table: sums, where the figures come from, what is lacking."""
    size = f"{graph.gpu_gb:.0f} GB, this machine's" if graph.gpu_gb else GPU_GB.source
    said = [f"together {sum(row.hours or 0.0 for row in graph.stages if not row.stands):.3g} hours and "
            f"{graph.disk_gb:.3g} GB of disk; {graph.free_gb:,.0f} GB are free",
            "hours: of a core like that of benchmarks/RESULTS.md, of an A100 as docs/paper.md counts it; nothing was "
            "measured for this table",
            f"fits: windows or pairs at once on {size}; activations and weights are counted, fragments are not",
            "disk: with the crops of what is rejected (.playmate/work), units beside shards, DVC's cache (linked: no "
            "copy of its own), checkpoints"]
    if params.ray.address is not None:
        said.append(f"GPUs and cores are asked of the cluster at {params.ray.address}, and were not looked for")
    said += [f"{row.stage}: {row.source}" for row in graph.stages if row.source and not row.stands]
    return [*said, refusal(graph.lacks) if graph.lacks else "nothing is missing"]


def graph_as_json(graph: Graph) -> str:
    """For programs."""
    return json.dumps(asdict(graph) | {"disk_gb": graph.disk_gb, "can_succeed": not graph.lacks}, indent=1)
