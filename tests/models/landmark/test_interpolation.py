"""The natural cubic spline of lips and lids, against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from models.landmark.interpolation import natural_spline


@pytest.mark.parametrize("count", [3, 4, 9])
def test_it_is_scipy_s(count):
    knots = np.cumsum(np.random.default_rng(count).uniform(0.1, 1.0, count))
    at = np.concatenate([np.linspace(knots[0], knots[-1], 40), knots])
    expected = CubicSpline(knots, np.eye(count), bc_type="natural")(at)
    np.testing.assert_allclose(natural_spline(knots, at), expected, atol=1e-12)


def test_a_line_through_two_knots():
    np.testing.assert_allclose(natural_spline(np.array([1.0, 3.0]), np.array([1.0, 1.5, 3.0])),
                               [[1, 0], [0.75, 0.25], [0, 1]], atol=1e-15)
