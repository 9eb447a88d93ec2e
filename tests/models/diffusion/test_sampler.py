import pytest
import torch

from models.diffusion.sampler import ddim_step, ddpm_step, sampling_times
from models.diffusion.schedule import add_noise, alpha_bars


def test_times_begin_at_the_noisiest_and_end_at_0():
    assert sampling_times(1000, 3) == [999, 500, 0]
    assert sampling_times(10, 10) == list(range(9, -1, -1))
    assert sampling_times(1000, 1) == [999]
    with pytest.raises(ValueError, match=r"51 must lie in 1\.\.50"):
        sampling_times(50, 51)


def test_ddim_stays_on_the_path_of_its_own_noise():
    levels = alpha_bars("linear", 1000)
    x0, eps = torch.randn(4, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
    moved = ddim_step(add_noise(x0, eps, levels[700]), x0, levels[700], levels[300])
    torch.testing.assert_close(moved, add_noise(x0, eps, levels[300]), rtol=0, atol=1e-12)
    one = torch.tensor(1.0, dtype=torch.float64)
    torch.testing.assert_close(ddim_step(moved, x0, levels[300], one), x0, rtol=0, atol=1e-12)


def test_ddpm_step_is_the_posterior_of_neighbouring_times():
    levels, t = alpha_bars("linear", 1000), 400
    beta = 1 - levels[t] / levels[t - 1]
    x_t, x0 = torch.tensor([1.5], dtype=torch.float64), torch.tensor([-0.5], dtype=torch.float64)
    mean = (levels[t - 1].sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - levels[t - 1]) * x_t) / (1 - levels[t])
    still = ddpm_step(x_t, x0, levels[t], levels[t - 1], torch.zeros_like(x_t))
    torch.testing.assert_close(still, mean, rtol=0, atol=1e-12)
    moved = ddpm_step(x_t, x0, levels[t], levels[t - 1], torch.ones_like(x_t))
    variance = (1 - levels[t - 1]) / (1 - levels[t]) * beta
    assert (moved - still).item() == pytest.approx(variance.sqrt().item(), rel=1e-12)


@pytest.mark.parametrize("solver", ["ddim", "ddpm"])
def test_exact_denoiser_gives_the_moments_of_the_data(solver):
    """Data N(2, 0.5^2): the best x_0 is known in closed form, so sampling must give that law back."""
    torch.manual_seed(0)
    levels, mean, variance = alpha_bars("cosine", 200), 2.0, 0.25
    times = sampling_times(200, 200)
    x = torch.randn(20000, dtype=torch.float64)
    for index, t in enumerate(times):
        level = levels[t]
        after = levels[times[index + 1]] if index + 1 < len(times) else torch.tensor(1.0, dtype=torch.float64)
        gain = level.sqrt() * variance / (level * variance + 1 - level)
        x0 = mean + gain * (x - level.sqrt() * mean)
        x = ddim_step(x, x0, level, after) if solver == "ddim" else ddpm_step(x, x0, level, after, torch.randn_like(x))
    assert x.mean().item() == pytest.approx(mean, abs=0.02)
    assert x.std().item() == pytest.approx(0.5, abs=0.02)
