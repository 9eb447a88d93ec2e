import numpy as np

from models.diffusion.denoise import guide, guide_audio
from models.diffusion.schedule import to_x0


def test_equation_8_check_value():
    e0, e_a, e_ae = (np.array([value]) for value in (1.0, 2.0, 5.0))
    assert guide(e0, e_a, e_ae, 1.5, 1.5).item() == 7.0
    assert guide(e0, e_a, e_ae, 1.0, 1.0).item() == 5.0
    assert guide_audio(e0, e_a, 1.5).item() == 2.5


def test_guiding_noise_or_clean_sample_is_the_same():
    level = 0.3
    x_t, *branches = np.random.default_rng(0).standard_normal((4, 6))
    guided_noise = to_x0(guide(*branches, 1.5, 2.0), x_t, level, "eps")
    guided_clean = guide(*(to_x0(branch, x_t, level, "eps") for branch in branches), 1.5, 2.0)
    np.testing.assert_allclose(guided_noise, guided_clean, rtol=1e-12)
