"""Small plots as SVG: inside a page colours come from its style sheet, so that they follow light and dark; a `sheet` of
plots is a picture that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

WIDTH, HEIGHT = 480, 220  # drawn at 350 px on a phone and at 520 px on a desk: the style sheet sizes the text for both
LEFT, RIGHT, TOP, BOTTOM = 60, 12, 12, 46
MAX_POINTS = 600
HEAD = 52  # above a plot of a sheet: its heading, and the legend or a note
STYLE = Markup("""text { font: 13px sans-serif; fill: #222 } .heading { font-weight: bold } .tick { font-size: 12px }
.note { fill: #666 } .end { text-anchor: end } .mid { text-anchor: middle } .grid { stroke: #ddd } path { fill: none }
.line { stroke-width: 1.8 } .limit { stroke: #000; stroke-dasharray: 3 2 }
.line.s1 { stroke: #1f78b4 } .line.s2 { stroke: #d95f02 } .line.s3 { stroke: #888 } .line.s4 { stroke: #2f8f83 }
.bar.s1, tspan.s1 { fill: #1f78b4 } .bar.s2, tspan.s2 { fill: #d95f02 } tspan.s3 { fill: #888 }
tspan.s4 { fill: #2f8f83 }""")


@dataclass(frozen=True)
class Series:
    """One line; `style` is a class of the page's style sheet (s1, s2, ...)."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    style: str


@dataclass(frozen=True)
class _Frame:
    """From data to picture coordinates."""

    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return (LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM))


def line_plot(series: Sequence[Series], x_label: str, y_label: str, title: str, include: float = math.nan) -> Markup:
    """Lines over a common x; gaps where y is not finite. `title` is what a screen reader says, `include` a value of y
    that the axis must hold."""
    xs = np.concatenate([np.asarray(line.x, float) for line in series])
    ys = np.concatenate([np.asarray(line.y, float) for line in series] + [[include]])
    frame = _Frame(_span(xs), _span(ys, pad=0.06))
    body = [_axes(frame, x_label, y_label)]
    body += [Markup('<path class="line {}" d="{}"/>').format(line.style, _path(line, frame)) for line in series]
    return _svg(Markup("").join(body), title)


def histogram(groups: Sequence[tuple[str, Sequence[float], str]], x_label: str, title: str, bins: int = 24,
              limits: Sequence[float] = (), parts: bool = False) -> Markup:
    """Shares of values per bin for (name, values, style) groups on common bins; `limits` are drawn as lines.

    A bar's height is its share of its own group, or, where the groups are `parts` of one set, of all values.
    """
    finite = [_finite(values) for _, values, _ in groups]
    everything = np.concatenate(finite)
    edges = np.linspace(*_span(np.append(everything, list(limits))), bins + 1)
    shares = [np.histogram(values, edges)[0] / max(len(everything if parts else values), 1) for values in finite]
    frame = _Frame((edges[0], edges[-1]), (0.0, max(float(np.max(shares)) * 1.1, 1e-9)))
    body = [_axes(frame, x_label, "share")]
    for (_, _, style), heights in zip(groups, shares, strict=True):
        body += [_bar(frame, edges[i], edges[i + 1], height, style) for i, height in enumerate(heights) if height > 0]
    for limit in limits:
        (x, low), (_, high) = frame.at(limit, frame.y[0]), frame.at(limit, frame.y[1])
        body.append(Markup('<path class="limit" d="M{:.1f} {:.1f}V{:.1f}"/>').format(x, low, high))
    return _svg(Markup("").join(body), title)


@dataclass(frozen=True)
class Cell:
    """A plot of a sheet under its heading, with the names of its styles, or a note; without a plot the note alone."""

    heading: str
    plot: Markup | None
    note: str = ""
    legend: tuple[tuple[str, str], ...] = ()  # name, style


def sheet(cells: Sequence[Cell], columns: int = 2) -> str:
    """Plots in rows as one SVG file."""
    height = HEAD + HEIGHT
    placed = [Markup('<g transform="translate({} {})">{}</g>').format(
        index % columns * WIDTH, index // columns * height, _cell(cell)) for index, cell in enumerate(cells)]
    return str(Markup('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}">\n<style>{}</style>\n<rect '
                      'width="100%" height="100%" fill="#fff"/>\n{}\n</svg>\n').format(
        columns * WIDTH, -(-len(cells) // columns) * height, STYLE, Markup("\n").join(placed)))


def _cell(cell: Cell) -> Markup:
    names = Markup(" ").join(Markup('<tspan class="{}">{}</tspan>').format(style, name) for name, style in cell.legend)
    head = Markup('<text class="heading" x="{}" y="20">{}</text>').format(LEFT, cell.heading)
    head += Markup('<text class="note" x="{}" y="42">{}{}</text>').format(LEFT, names, cell.note)
    plot = "" if cell.plot is None else Markup('<svg y="{}" width="{}" height="{}">{}</svg>').format(
        HEAD, WIDTH, HEIGHT, cell.plot)
    return head + plot


def _bar(frame: _Frame, left: float, right: float, height: float, style: str) -> Markup:
    (x0, y0), (x1, y1) = frame.at(left, 0.0), frame.at(right, height)
    return Markup('<rect class="bar {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
        style, x0 + 0.5, y1, max(x1 - x0 - 1, 0.5), y0 - y1)


def _svg(body: Markup, title: str) -> Markup:
    return Markup('<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, title, body)


def _path(line: Series, frame: _Frame) -> str:
    x, y = np.asarray(line.x, float), np.asarray(line.y, float)
    step = max(1, math.ceil(len(x) / MAX_POINTS))
    parts, pen = [], "M"
    for a, b in zip(x[::step], y[::step], strict=True):
        if not math.isfinite(b):
            pen = "M"
            continue
        px, py = frame.at(a, b)
        parts.append(f"{pen}{px:.1f} {py:.1f}")
        pen = "L"
    return "".join(parts)


def _axes(frame: _Frame, x_label: str, y_label: str) -> Markup:
    parts = []
    for value in _ticks(*frame.y):
        x, y = frame.at(frame.x[0], value)
        parts.append(Markup('<path class="grid" d="M{:.1f} {:.1f}H{}"/>').format(x, y, WIDTH - RIGHT))
        parts.append(Markup('<text class="tick end" x="{:.1f}" y="{:.1f}">{:g}</text>').format(x - 6, y + 4, value))
    for value in _ticks(*frame.x):
        x, y = frame.at(value, frame.y[0])
        parts.append(Markup('<text class="tick mid" x="{:.1f}" y="{:.1f}">{:g}</text>').format(x, y + 18, value))
    parts.append(Markup('<text class="label mid" x="{}" y="{}">{}</text>').format(
        (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, x_label))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(Markup('<text class="label mid" transform="translate(14 {}) rotate(-90)">{}</text>').format(
        middle, y_label))
    return Markup("").join(parts)


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers inside the span."""
    raw = (high - low) / 4
    power = 10 ** math.floor(math.log10(raw))
    step = next(size * power for size in (1, 2, 2.5, 5, 10) if size * power >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _finite(values: Sequence[float]) -> np.ndarray:
    array = np.asarray([math.nan if value is None else value for value in values], float)
    return array[np.isfinite(array)]


def _span(values: np.ndarray, pad: float = 0.0) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    room = (high - low) * pad
    return (low - room, high + room) if high > low else (low - 0.5, high + 0.5)
