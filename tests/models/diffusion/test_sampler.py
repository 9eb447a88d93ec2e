import math

import numpy as np
import pytest

from models.diffusion.sampler import ddim_step, ddpm_step, even_snr_times, extrapolate_x0, sampling_times, solver_times
from models.diffusion.schedule import add_noise, alpha_bars


def test_times_begin_at_the_noisiest_and_end_at_0():
    assert sampling_times(1000, 3) == [999, 500, 0]
    assert sampling_times(10, 10) == list(range(9, -1, -1))
    assert sampling_times(1000, 1) == [999]
    with pytest.raises(ValueError, match=r"51 must lie in 1\.\.50"):
        sampling_times(50, 51)


def test_ddim_stays_on_the_path_of_its_own_noise():
    levels = alpha_bars("linear", 1000)
    x0, eps = np.random.default_rng(0).standard_normal((2, 4))
    moved = ddim_step(add_noise(x0, eps, levels[700]), x0, levels[700], levels[300])
    np.testing.assert_allclose(moved, add_noise(x0, eps, levels[300]), rtol=0, atol=1e-12)
    np.testing.assert_allclose(ddim_step(moved, x0, levels[300], 1.0), x0, rtol=0, atol=1e-12)


def test_ddpm_step_is_the_posterior_of_neighbouring_times():
    levels, t = alpha_bars("linear", 1000), 400
    beta = 1 - levels[t] / levels[t - 1]
    x_t, x0 = np.array([1.5]), np.array([-0.5])
    mean = (levels[t - 1]**0.5 * beta * x0 + (1 - beta)**0.5 * (1 - levels[t - 1]) * x_t) / (1 - levels[t])
    still = ddpm_step(x_t, x0, levels[t], levels[t - 1], np.zeros(1))
    np.testing.assert_allclose(still, mean, rtol=0, atol=1e-12)
    moved = ddpm_step(x_t, x0, levels[t], levels[t - 1], np.ones(1))
    variance = (1 - levels[t - 1]) / (1 - levels[t]) * beta
    assert (moved - still).item() == pytest.approx(variance**0.5, rel=1e-12)


def test_dpm_solver_extrapolates_half_a_step_ahead():
    """Half the log signal-to-noise ratio -1, 0, 1: x_0 goes from 2 to 5, so 6.5 in the middle of the next step."""
    before, now, after = (1 / (1 + math.exp(-2.0 * half)) for half in (-1, 0, 1))
    x0, x0_before = np.array([5.0]), np.array([2.0])
    assert extrapolate_x0(x0, x0_before, before, now, after).item() == pytest.approx(6.5)
    assert extrapolate_x0(x0, x0_before, before, now, 1.0).item() == 5.0


def test_even_times_have_even_steps_of_the_signal_to_noise_ratio():
    levels = alpha_bars("linear", 1000)
    times = even_snr_times(levels, 6)
    steps = np.diff([math.log(levels[t] / (1 - levels[t])) for t in times])
    assert (times[0], times[-1], len(times)) == (999, 0, 6)
    assert steps.max() < 1.15 * steps.min()  # training steps are not infinitely fine at the clean end
    assert len(even_snr_times(levels, 1000)) < 1000 and even_snr_times(levels, 1) == [999]
    with pytest.raises(ValueError, match=r"51 must lie in 1\.\.50"):
        solver_times("dpmpp", levels[:50], 51)


def exact_path(solver: str, steps: int, x: np.ndarray) -> np.ndarray:
    """Sample N(2, 0.5^2) from x with the x_0 that is best for it, which is known in closed form."""
    levels, mean, variance = alpha_bars("linear", 1000), 2.0, 0.25
    times, before = solver_times(solver, levels, steps), None
    for index, t in enumerate(times):
        level = levels[t]
        after = levels[times[index + 1]] if index + 1 < len(times) else 1.0
        x0 = mean + level**0.5 * variance / (level * variance + 1 - level) * (x - level**0.5 * mean)
        ahead = x0 if solver == "ddim" or before is None else extrapolate_x0(x0, before[0], before[1], level, after)
        x, before = ddim_step(x, ahead, level, after), (x0, level)
    return x


def test_dpm_solver_comes_nearer_to_the_exact_path_in_as_many_steps():
    """The path ends at mean + 0.5 (x - sqrt(ab) mean) / sqrt(ab 0.25 + 1 - ab): all solvers reach it in the end."""
    noise, level = np.linspace(-2, 2, 9), alpha_bars("linear", 1000)[999]
    exact = 2 + 0.5 * (noise - level**0.5 * 2) / (level * 0.25 + 1 - level) ** 0.5
    error = {(solver, steps): np.abs(exact_path(solver, steps, noise) - exact).max()
             for solver in ("ddim", "dpmpp") for steps in (10, 20, 500)}
    assert error["dpmpp", 500] < 2e-3 and error["ddim", 500] < 6e-3
    assert error["dpmpp", 10] < 0.5 * error["ddim", 10] and error["dpmpp", 20] < 0.3 * error["ddim", 20]


@pytest.mark.parametrize("solver", ["ddim", "ddpm"])
def test_exact_denoiser_gives_the_moments_of_the_data(solver):
    """Data N(2, 0.5^2): the best x_0 is known in closed form, so sampling must give that law back."""
    random = np.random.default_rng(0)
    levels, mean, variance = alpha_bars("cosine", 200), 2.0, 0.25
    times = sampling_times(200, 200)
    x = random.standard_normal(20000)
    for index, t in enumerate(times):
        level = levels[t]
        after = levels[times[index + 1]] if index + 1 < len(times) else 1.0
        gain = level**0.5 * variance / (level * variance + 1 - level)
        x0 = mean + gain * (x - level**0.5 * mean)
        x = ddim_step(x, x0, level, after) if solver == "ddim" else (
            ddpm_step(x, x0, level, after, random.standard_normal(20000)))
    assert x.mean() == pytest.approx(mean, abs=0.02)
    assert x.std() == pytest.approx(0.5, abs=0.02)
