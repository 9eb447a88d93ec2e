from dataclasses import replace

import numpy as np

from models.diffusion.denoise import Conditions, Denoiser, guide, guide_audio
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


def test_the_head_pose_gets_its_share_of_w_a():
    """Without conditions 0, with audio 1, with emotion 3; clean motion is predicted, and one step ends at it."""
    class Network:
        motion_mask = np.ones(9, np.float32)

        def branches(self, given):
            heights = [0, 1] if given.emotion is None else [0, 1, 3]
            return lambda x, time: np.stack([np.full_like(x, height) for height in heights])

    noise, weights = np.zeros((1, 2, 9), np.float32), np.array([2.0] * 2 + [0.5] * 7, np.float32)
    denoiser = Denoiser(Network(), np.array([0.1]), "x0", "ddim", [0], 100.0)
    given = Conditions(noise, noise, noise, np.array([False]), None, None, weights, 1.5)
    np.testing.assert_allclose(denoiser.run(given, noise, None, None)[0][0, 0], [2.0, 2.0, *[0.5] * 7])
    given = replace(given, emotion=noise)
    np.testing.assert_allclose(denoiser.run(given, noise, None, None)[0][0, 0], [5.0, 5.0, *[3.5] * 7])


def test_guidance_in_a_part_of_sampling():
    """Four steps, in whose middles 1/8, 3/8, 5/8 and 7/8 are done. Without conditions 0, with audio 1, with emotion 3:
    unguided 3; guided by 2 and 1.5 0 + 2 + 1.5 x 2 = 5. Clean motion is predicted, so the last step's word stands."""
    class Network:
        motion_mask = np.ones(9, np.float32)

        def branches(self, given):
            return lambda x, time: np.stack([np.full_like(x, height) for height in (0, 1, 3)])

    noise = np.zeros((2, 2, 9), np.float32)
    denoiser = Denoiser(Network(), np.array([0.9, 0.6, 0.3, 0.1]), "x0", "ddim", [3, 2, 1, 0], 100.0)
    given = Conditions(noise, noise, noise, np.array([False] * 2), None, noise, 2.0, 1.5,
                       np.array([[0.0, 0.5], [0.8, 1.0]]))
    found, _ = denoiser.run(given, noise, None, None)
    np.testing.assert_allclose(found[:, 0, 0], [3.0, 5.0])
    whole, _ = denoiser.run(replace(given, guided=np.array([[0.0, 1.0]] * 2)), noise, None, None)
    np.testing.assert_array_equal(whole, denoiser.run(replace(given, guided=None), noise, None, None)[0])
    np.testing.assert_allclose(whole, 5.0)
    weak, _ = denoiser.run(replace(given, strength=0.5), noise, None, None)
    np.testing.assert_allclose(weak[:, 0, 0], [2.0, 3.5])   # half of what emotion changes: 1 + 0.5 x 2, 2 + 0.75 x 2
