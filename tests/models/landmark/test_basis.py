"""The expression basis: sums merge, identity stays out, ridge by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.landmark.basis import BasisSums, solve_basis

RANDOM = np.random.default_rng(5)


def people(count: int, basis: np.ndarray, identity_size: float = 3.0):
    for _ in range(count):
        scores = RANDOM.uniform(size=(60, 52))
        yield scores, RANDOM.normal(size=basis.shape[1]) * identity_size + scores @ basis


def test_the_basis_is_found_whatever_the_people_look_like():
    truth = RANDOM.normal(size=(52, 6))
    sums = [BasisSums.of_person(*person) for person in people(4, truth)]
    found = solve_basis(sums[0] + sums[1] + sums[2] + sums[3], ridge=1e-9)
    np.testing.assert_allclose(found, truth, atol=1e-5)


def test_sums_merge_in_any_order():
    a, b, c = (BasisSums.of_person(*person) for person in people(3, RANDOM.normal(size=(52, 6))))
    np.testing.assert_allclose(((a + b) + c).scores_points, (c + (b + a)).scores_points, rtol=1e-12)
    assert (a + b + c).frames == 180


def test_ridge_by_hand():
    scores = np.zeros((2, 52))
    scores[:, 0] = [0.0, 2.0]  # centred: -1, 1; S'S = 2; S'Y = 2 * 3
    basis = solve_basis(BasisSums.of_person(scores, np.array([[[0.0, 0, 0]], [[6.0, 0, 0]]])), ridge=4.0)
    assert basis[0, 0] == pytest.approx(6 / (2 + 4))
    assert not basis[1:].any()  # scores that never move explain nothing


def test_no_frames_are_refused():
    with pytest.raises(ValueError, match="ridge"):
        solve_basis(BasisSums(np.zeros((52, 52)), np.zeros((52, 3)), 0), ridge=1.0)
