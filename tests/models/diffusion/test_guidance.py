import torch

from models.diffusion.denoise import guide, guide_audio
from models.diffusion.schedule import to_x0


def test_equation_8_check_value():
    e0, e_a, e_ae = torch.tensor(1.0), torch.tensor(2.0), torch.tensor(5.0)
    assert guide(e0, e_a, e_ae, 1.5, 1.5).item() == 7.0
    assert guide(e0, e_a, e_ae, 1.0, 1.0).item() == 5.0
    assert guide_audio(e0, e_a, 1.5).item() == 2.5


def test_guiding_noise_or_clean_sample_is_the_same():
    level = torch.tensor(0.3, dtype=torch.float64)
    x_t, *branches = torch.randn(4, 6, dtype=torch.float64)
    guided_noise = to_x0(guide(*branches, 1.5, 2.0), x_t, level, "eps")
    guided_clean = guide(*(to_x0(branch, x_t, level, "eps") for branch in branches), 1.5, 2.0)
    torch.testing.assert_close(guided_noise, guided_clean)
