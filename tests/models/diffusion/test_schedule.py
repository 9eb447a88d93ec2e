import numpy as np
import pytest
import torch

from models.diffusion.schedule import add_noise, alpha_bars, noise_previous, to_x0, training_target


@pytest.mark.parametrize(("kind", "steps", "time", "expected"), [
    ("linear", 1000, 0, 0.9999), ("linear", 1000, 49, 0.97101572), ("linear", 1000, 499, 0.078587243),
    ("linear", 1000, 999, 4.0358298e-05), ("cosine", 1000, 0, 0.99995872), ("cosine", 1000, 49, 0.99200728),
    ("cosine", 1000, 499, 0.49384359), ("cosine", 1000, 999, 2.4287669e-09), ("cosine", 500, 49, 0.97209274),
    ("cosine", 50, 24, 0.49384359)])
def test_alpha_bar_table(kind, steps, time, expected):
    assert alpha_bars(kind, steps)[time] == pytest.approx(expected, rel=2e-7)


def test_unknown_schedule_is_named():
    with pytest.raises(ValueError, match=r"squared.*linear, cosine"):
        alpha_bars("squared", 10)


@pytest.mark.parametrize("target", ["eps", "x0", "v"])
@pytest.mark.parametrize("time", [0, 500, 999])
def test_a_prediction_gives_the_clean_sample_back(target, time):
    level = alpha_bars("linear", 1000)[time]
    x0, eps = np.random.default_rng(0).standard_normal((2, 2, 5))
    x_t = add_noise(x0, eps, level)
    prediction = training_target(x0, eps, level, target)
    np.testing.assert_allclose(to_x0(prediction, x_t, level, target), x0, rtol=0, atol=1e-10)
    tensors = [torch.from_numpy(array) for array in (x0, eps, np.full((2, 1), level))]  # as training calls them
    np.testing.assert_allclose(add_noise(*tensors).numpy(), x_t, rtol=1e-12)
    np.testing.assert_allclose(training_target(*tensors, target).numpy(), prediction, rtol=1e-12)


def test_velocity_by_hand():
    level = 0.36  # sqrt 0.6, sqrt(1 - ab) 0.8
    x0, eps = np.array([2.0]), np.array([-1.0])
    assert add_noise(x0, eps, level).item() == pytest.approx(0.6 * 2 - 0.8)
    assert training_target(x0, eps, level, "v").item() == pytest.approx(0.6 * -1 - 0.8 * 2)


def test_previous_noise_of_equation_9_in_both_forms():
    level = alpha_bars("linear", 1000)[49]
    zero, one = np.zeros(1), np.ones(1)
    assert noise_previous(zero, one, level, "sqrt").item() == pytest.approx(0.170, abs=5e-4)
    assert noise_previous(zero, one, level, "literal").item() == pytest.approx(0.029, abs=5e-4)
    assert noise_previous(one, zero, level, "literal").item() == pytest.approx(0.97101572**0.5)
