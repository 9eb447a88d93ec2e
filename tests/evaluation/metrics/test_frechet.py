"""Check values: hand arithmetic, closed forms, and the values of pytorch-fid 0.3.0 on the same features."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.metrics.frechet import Moments, frechet_distance, frechet_of_features, frechet_of_moments, merge


def sines(rows: int, columns: int, phase: float) -> np.ndarray:
    i, j = np.mgrid[1:rows + 1, 1:columns + 1]
    return np.sin(0.37 * i * j + phase)


@pytest.mark.slow
def test_2048_dimensions_apart_by_one():
    """The unit test of pytorch-fid."""
    zeros, eye = np.zeros(2048), np.eye(2048)
    assert frechet_distance(zeros, eye, zeros + 1, eye) == pytest.approx(2048, rel=1e-12)


def test_one_dimension_by_hand():
    # (0-3)^2 + (2-3)^2 = 10
    assert frechet_distance(np.zeros(1), np.array([[4.0]]), np.array([3.0]), np.array([[9.0]])) == pytest.approx(10)


def test_two_dimensions_against_the_closed_form():
    s1, s2 = np.array([[2, 1], [1, 3.0]]), np.array([[1, -0.5], [-0.5, 4]])
    value = frechet_distance(np.array([0, 1.0]), s1, np.array([2, -1.0]), s2)
    assert value == pytest.approx(8.69188439310203, abs=1e-12)
    product = s1 @ s2
    closed = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    assert value == pytest.approx(8 + 5 + 5 - 2 * closed, abs=1e-12)


def test_features_of_full_rank():
    value = frechet_of_moments(Moments.of(sines(32, 8, 0.0)), Moments.of(sines(40, 8, 0.5)))
    assert value == pytest.approx(0.0362202349497, abs=1e-12)
    assert frechet_of_features(sines(32, 8, 0.0), sines(40, 8, 0.5)) == pytest.approx(0.0362202349497, abs=1e-12)


def test_rank_deficient_features_against_the_nuclear_norm():
    """tr sqrt(S1 S2) = |A B^T|_* for S1 = A^T A, S2 = B^T B. A matrix square root gives 1.35792706341363: it keeps
    sqrt(1e-17) of every rounded zero eigenvalue, 3e-8 in all."""
    first, second = sines(5, 8, 0.0), sines(6, 8, 0.5)
    value = frechet_of_moments(Moments.of(first), Moments.of(second))
    a, b = (first - first.mean(0)) / np.sqrt(4), (second - second.mean(0)) / np.sqrt(5)
    gap = first.mean(0) - second.mean(0)
    exact = gap @ gap + np.square(a).sum() + np.square(b).sum() - 2 * np.linalg.svd(a @ b.T, compute_uv=False).sum()
    assert value == pytest.approx(exact, abs=1e-12)
    assert value == pytest.approx(1.35792706341363, abs=1e-7)
    assert frechet_of_features(first, second) == pytest.approx(exact, abs=1e-12)


def test_torch_fidelity_says_the_same_of_the_same_features():
    """478.1907598139552 is torch-fidelity 0.4.0's fid_statistics_to_metric on these features."""
    rng = np.random.default_rng(5)
    first = rng.normal(size=(80, 24)) @ rng.normal(size=(24, 24))
    second = rng.normal(size=(90, 24)) + 0.3
    assert frechet_of_moments(Moments.of(first), Moments.of(second)) == pytest.approx(478.1907598139552, rel=1e-12)
    assert frechet_of_features(first, second) == pytest.approx(478.1907598139552, rel=1e-12)


def test_constant_pictures_give_the_stated_moments():
    moments = Moments.of(np.repeat([[0.0], [0.5], [1.0]], 3, axis=1))
    assert np.allclose(moments.mean, 0.5) and np.allclose(moments.covariance, 0.25)


def test_streaming_in_pieces_equals_numpy_over_a_large_offset():
    features = np.random.default_rng(0).normal(1e4, 1e-2, (500, 6))
    pieces = merge([Moments.of(part) for part in np.array_split(features, [3, 90, 91, 400])])
    assert np.allclose(pieces.mean, features.mean(0), rtol=1e-14)
    assert np.allclose(pieces.covariance, np.cov(features, rowvar=False), rtol=1e-6, atol=1e-12)


def test_zero_symmetric_and_growing():
    rng = np.random.default_rng(1)
    base = rng.normal(size=(300, 5))
    near, far = Moments.of(base + 0.1), Moments.of(base * 2 + 1)
    here = Moments.of(base)
    assert frechet_of_moments(here, here) == pytest.approx(0, abs=1e-12)
    assert frechet_of_moments(here, far) == pytest.approx(frechet_of_moments(far, here), rel=1e-12)
    assert frechet_of_moments(here, near) < frechet_of_moments(here, far)


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="two samples"):
        _ = Moments.of(np.zeros((1, 3))).covariance
    with pytest.raises(ValueError, match="N >= 1"):
        Moments.of(np.zeros((0, 3)))
