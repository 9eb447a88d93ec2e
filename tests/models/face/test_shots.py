"""Cuts and pieces."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from models.face.shots import Look, distance, pieces, shots


def flat(level, noise=0, seed=0):
    grain = np.random.default_rng(seed).integers(-noise, noise + 1, (16, 24, 3))
    return Look.at(np.clip(level + grain, 0, 255).astype(np.uint8))


def test_distance_of_the_same_and_of_nothing_in_common():
    assert distance(flat(20), flat(20)) == 0.0
    assert distance(flat(20), flat(220)) == 1.0


def test_a_plain_wall_on_the_edge_of_a_cell_is_no_cut():
    assert distance(flat(127), flat(128)) == pytest.approx(1 / 16)   # every pixel changes its cell
    assert distance(flat(128, 3, seed=1), flat(128, 3, seed=2)) < 0.2


def test_shots_and_pieces_by_hand():
    assert shots([0.1, 0.9, 0.1, 0.0, 0.6], 0.45) == [(0, 2), (2, 5), (5, 6)]
    assert shots([], 0.45) == [(0, 1)]
    assert pieces(10, 110, 100) == [(10, 110)]
    assert pieces(0, 101, 50) == [(0, 33), (33, 67), (67, 101)]


@pytest.mark.parametrize("count", [1, 749, 750, 751, 45000])
def test_pieces_cover_a_shot_evenly(count):
    found = pieces(7, 7 + count, 750)
    lengths = [end - first for first, end in found]
    assert sum(lengths) == count and max(lengths) <= 750 and max(lengths) - min(lengths) <= 1
    assert all(a[1] == b[0] for a, b in itertools.pairwise(found))
