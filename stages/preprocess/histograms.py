"""Histograms of every measured value with its thresholds, one SVG picture that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

import numpy as np

from pipeline.core.config import Preprocess
from stages.preprocess.quality import Threshold, thresholds

BINS = 30
WIDTH, HEIGHT, COLUMNS = 300, 170, 3
LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT = 14, 30, 272, 100
PLAIN = ("faces", "frames", "source_fps", "crop_side_px")  # measured, without a threshold


def histograms(rows: Iterable[Mapping], params: Preprocess, singing: bool) -> str:
    """Rows of one corpus -> SVG text: blue within all thresholds of a measure, orange beyond one, a line at each."""
    rows = list(rows)
    limits: dict[str, list[Threshold]] = {}
    for threshold in thresholds(params, singing):
        limits.setdefault(threshold.measure, []).append(threshold)
    measures = [*limits, *PLAIN]
    cells = [_cell(i, name, [row[name] for row in rows if row.get(name) is not None], limits.get(name, []))
             for i, name in enumerate(measures)]
    height = -(-len(measures) // COLUMNS) * HEIGHT
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * WIDTH} {height}" '
            f'font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="#fff"/>\n'
            + "\n".join(cells) + "\n</svg>\n")


def _cell(index: int, name: str, values: list[float], limits: list[Threshold]) -> str:
    x, y = index % COLUMNS * WIDTH, index // COLUMNS * HEIGHT
    parts = [f'<text x="{LEFT}" y="18" font-weight="bold">{escape(name)}</text>']
    if values:
        parts += _bars(np.asarray(values, float), limits)
    else:
        parts.append(f'<text x="{LEFT}" y="60" fill="#666">no clip was measured</text>')
    return f'<g transform="translate({x} {y})">{"".join(parts)}</g>'


def _bars(values: np.ndarray, limits: list[Threshold]) -> list[str]:
    marks = [t.limit for t in limits]
    low, high = min([values.min(), *marks]), max([values.max(), *marks])
    high = high if high > low else low + 1
    counts, edges = np.histogram(values, BINS, (low, high))
    parts, width = [], PLOT_WIDTH / BINS
    for i, count in enumerate(counts):
        if count:
            middle, tall = (edges[i] + edges[i + 1]) / 2, PLOT_HEIGHT * count / counts.max()
            colour = "#d95f02" if any(t.misses(middle) for t in limits) else "#1f78b4"
            parts.append(f'<rect x="{LEFT + i * width:.1f}" y="{TOP + PLOT_HEIGHT - tall:.1f}" '
                         f'width="{width - 1:.1f}" height="{tall:.1f}" fill="{colour}"/>')
    for threshold in limits:
        at = LEFT + PLOT_WIDTH * (threshold.limit - low) / (high - low)
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 4}" y2="{TOP + PLOT_HEIGHT}" stroke="#000" '
                     f'stroke-dasharray="3 2"><title>{threshold.code}: {escape(threshold.wanted)}</title></line>')
    wanted = "; ".join(t.wanted for t in limits if not t.is_strict) or "no threshold"
    return [*parts, f'<text x="{LEFT}" y="{TOP + PLOT_HEIGHT + 13}">{low:.4g}</text>',
            f'<text x="{LEFT + PLOT_WIDTH}" y="{TOP + PLOT_HEIGHT + 13}" text-anchor="end">{high:.4g}</text>',
            f'<text x="{LEFT}" y="{TOP + PLOT_HEIGHT + 28}" fill="#666">{len(values)} clips; {escape(wanted)}</text>']
