"""Shots by histogram distance, and pieces of usable length inside them."""

from __future__ import annotations

import math

import numpy as np

BINS = 8


def histogram(image: np.ndarray) -> np.ndarray:
    """Share of pixels in each of 8 x 8 x 8 colour cells; image [H, W, 3] uint8 -> [512]."""
    cells = (image >> 5).reshape(-1, 3) @ np.array([BINS * BINS, BINS, 1])
    return np.bincount(cells, minlength=BINS**3) / len(cells)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Half the L1 distance of two histograms: 0 for the same colours, 1 for no colour in common."""
    return float(np.abs(a - b).sum() / 2)


def shots(distances: list[float], threshold: float) -> list[tuple[int, int]]:
    """distances[i] between frames i and i + 1 -> shots [first, last + 1), cut where the distance exceeds threshold."""
    cuts = [i + 1 for i, value in enumerate(distances) if value > threshold]
    edges = [0, *cuts, len(distances) + 1]
    return list(zip(edges[:-1], edges[1:], strict=True))


def pieces(first: int, end: int, longest: int) -> list[tuple[int, int]]:
    """Cut frames [first, end) into the fewest even pieces of at most `longest` frames (they differ by one at most)."""
    count = max(1, math.ceil((end - first) / longest))
    edges = [first + (end - first) * i // count for i in range(count + 1)]
    return list(zip(edges[:-1], edges[1:], strict=True))
