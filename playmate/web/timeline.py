"""The page's timeline: rows of (start in seconds, emotion or `NO_EMOTION`, strength), drawn as a bar to the scale of
the speech, and read as emotions of `Animator.animate`."""

from __future__ import annotations

import html
from collections.abc import Sequence

NO_EMOTION = "none"
MAX_ENTRIES = 50
# dark enough for white letters (WCAG: a contrast of at least 4.5)
COLOURS = ("#5f6b7a", "#b3301a", "#7f5539", "#467330", "#5e548e", "#8a6100", "#2a66a5", "#a23a78", "#1c756a", "#56646d",
           "#8a4b1c")
UNKNOWN_TAIL_S = 3.0  # how long the last emotion is drawn while no speech is there

Entry = tuple[float, str, float]


def with_entry(rows: Sequence[Entry], start_s: float | None, label: str, strength: float) -> list[Entry]:
    """The timeline with one more entry, which replaces one of the same start."""
    start = float(start_s or 0)
    return sorted([*(row for row in rows if row[0] != start), (start, str(label), float(strength))])


def shown_entries(rows: Sequence[Entry], label: str, strength: float) -> list[Entry]:
    """What a film shows: the timeline, or, while it is empty, the chosen emotion from the start."""
    return list(rows) or ([] if label == NO_EMOTION else [(0.0, str(label), float(strength))])


def emotion_texts(rows: Sequence[Entry], labels: Sequence[str], duration_s: float) -> list[str]:
    """Rows as `Animator.animate` takes them, "happy:0.7@2.5"; raises ValueError."""
    if len(rows) > MAX_ENTRIES:
        raise ValueError(f"the timeline has more than {MAX_ENTRIES} entries")
    return [_text(row, labels, duration_s) for row in rows]


def _text(row: Entry, labels: Sequence[str], duration_s: float) -> str:
    start, label, strength = row
    start_s, weight = float(start), float(strength)
    if label not in (NO_EMOTION, *labels):
        raise ValueError(f"unknown emotion {label!r}: this model knows {', '.join(labels)}")
    if not (0 <= start_s <= duration_s and 0 <= weight <= 1):
        raise ValueError(f"{label} at {start_s:g} s with strength {weight:g}: the start lies within the speech's "
                         f"{duration_s:.1f} s, strength between 0 and 1")
    return f"{labels[0]}:0@{start_s:g}" if label == NO_EMOTION else f"{label}:{weight:g}@{start_s:g}"


def timeline_bar(rows: Sequence[Entry], labels: Sequence[str], duration_s: float | None) -> str:
    """The timeline as a coloured bar with the speech's start and end below; `duration_s` None: not known yet."""
    shown = [row for row in rows if duration_s is None or row[0] < duration_s]
    end_s = duration_s or (shown[-1][0] + UNKNOWN_TAIL_S if shown else UNKNOWN_TAIL_S)
    if not shown or shown[0][0] > 0:
        shown = [(0.0, NO_EMOTION, 1.0), *shown]
    ends = [row[0] for row in shown[1:]] + [end_s]
    parts = [_part(row, end - row[0], labels) for row, end in zip(shown, ends, strict=True)]
    scale = f"<span>0 s</span><span>{'end' if duration_s is None else f'{duration_s:.1f} s'}</span>"
    return (f'<div style="display:flex;border-radius:6px;overflow:hidden">{"".join(parts)}</div>'
            f'<div style="display:flex;justify-content:space-between;font-size:12px;opacity:.7">{scale}</div>')


def _part(row: Entry, length_s: float, labels: Sequence[str]) -> str:
    start, label, strength = row
    colour = COLOURS[list(labels).index(label) % len(COLOURS)] if label in labels else "#767676"
    text = f"{start:g} s no emotion" if label == NO_EMOTION else f"{start:g} s {label} {strength:g}"
    return (f'<div title="{html.escape(text)}" style="flex:{max(length_s, 1e-3):g} 1 0;min-width:0;background:{colour};'
            f'color:#fff;padding:6px;font-size:13px;white-space:nowrap;overflow:hidden">{html.escape(text)}</div>')
