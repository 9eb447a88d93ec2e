"""Histograms of every measured value with its thresholds, one SVG picture that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.core.data_params import Thresholds
from pipeline.media.plot import Cell, histogram, sheet
from stages.preprocess.quality import Threshold, thresholds

BINS, COLUMNS = 30, 3
PLAIN = ("faces", "frames", "source_fps", "crop_side_px")  # measured, without a threshold


def histograms(rows: Iterable[Mapping], section: Thresholds, singing: bool) -> str:
    """Rows of one corpus -> SVG text: what meets all thresholds of a measure in one colour, what misses one in another,
    a line at each."""
    rows = list(rows)
    limits: dict[str, list[Threshold]] = {}
    for threshold in thresholds(section, singing):
        limits.setdefault(threshold.measure, []).append(threshold)
    return sheet([_cell(name, [row[name] for row in rows if row.get(name) is not None], limits.get(name, []))
                  for name in (*limits, *PLAIN)], COLUMNS)


def _cell(name: str, values: list[float], limits: list[Threshold]) -> Cell:
    wanted = "; ".join(f"{limit.code}: {limit.wanted}" for limit in limits if not limit.is_strict) or "no threshold"
    if not values:
        return Cell(name, None, f"no clip was measured; {wanted}")
    missed = [value for value in values if any(limit.misses(value) for limit in limits)]
    met = [value for value in values if not any(limit.misses(value) for limit in limits)]
    plot = histogram([("met", met, "s1"), ("missed", missed, "s2")], "", f"{name}: {len(values)} clips, {wanted}", BINS,
                     [limit.limit for limit in limits], parts=True)
    return Cell(name, plot, f"{len(values)} clips; {wanted}")
