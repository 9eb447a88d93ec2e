"""Shots by histogram distance, and pieces of usable length inside them."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

BINS = 8           # a channel
FULL_CHANGE = 16   # mean change of a pixel, of 255, from which the histograms alone decide


@dataclass(frozen=True)
class Look:
    """A small picture [H, W, 3] as int16 and its histogram [512]."""

    picture: np.ndarray
    histogram: np.ndarray

    @classmethod
    def at(cls, picture: np.ndarray) -> Look:
        cells = (picture >> 5).reshape(-1, 3) @ np.array([BINS * BINS, BINS, 1])
        return cls(picture.astype(np.int16), np.bincount(cells, minlength=BINS**3) / len(cells))


def distance(a: Look, b: Look) -> float:
    """0 for the same colours, 1 for no colour in common: half the L1 distance of the histograms, less where hardly a
    pixel changes, because a plain background that sits on the edge of a histogram cell jumps between cells."""
    change = float(np.abs(a.picture - b.picture).mean())
    return float(np.abs(a.histogram - b.histogram).sum() / 2) * min(1.0, change / FULL_CHANGE)


def shots(distances: list[float], threshold: float) -> list[tuple[int, int]]:
    """distances[i] between frames i and i + 1 -> shots [first, last + 1), cut where the distance exceeds threshold."""
    cuts = [i + 1 for i, value in enumerate(distances) if value > threshold]
    edges = [0, *cuts, len(distances) + 1]
    return list(itertools.pairwise(edges))


def pieces(first: int, end: int, longest: int) -> list[tuple[int, int]]:
    """Cut frames [first, end) into the fewest even pieces of at most `longest` frames (they differ by one at most)."""
    count = max(1, math.ceil((end - first) / longest))
    edges = [first + (end - first) * i // count for i in range(count + 1)]
    return list(itertools.pairwise(edges))
