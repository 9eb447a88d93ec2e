"""The face space over toy networks: shapes, eq. 1, batches, and the rule that x_c is the clip's mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.liveportrait.networks import seeded_networks
from models.liveportrait.runtime import Runtime
from models.liveportrait.space import LivePortraitFaceSpace
from models.liveportrait.torch_space import torch_space
from models.liveportrait.widths import TOY


@pytest.fixture(scope="module")
def space() -> LivePortraitFaceSpace:
    return torch_space(seeded_networks(TOY, 1), Runtime(batch=3, stitching=False))


@pytest.fixture(scope="module")
def frames(picture) -> np.ndarray:
    return np.stack([np.roll(picture[:256, 50:306], shift, 1) for shift in range(0, 20, 4)])


def test_motion_is_what_the_network_says(space, frames):
    motion = space.extract(frames)
    with torch.inference_mode():
        head = space.runner.networks.head_motion(torch.from_numpy(frames).permute(0, 3, 1, 2) / 255)
    assert np.allclose(motion.delta, head.delta, atol=1e-6)
    assert np.allclose(motion.x_c, head.x_c.mean(0), atol=1e-6)
    assert np.allclose(motion.angles_deg, head.angles_deg, atol=1e-4)
    assert (motion.t[:, 2] == 0).all() and np.allclose(motion.t[:, :2], head.t[:, :2], atol=1e-6)
    assert motion.vector().shape == (5, 70) and motion.vector().dtype == np.float32


def test_key_points_are_equation_one_of_one_picture(space, frames):
    """With one frame the mean of x_c is M's own, so the NumPy side and the torch side must agree."""
    motion = space.extract(frames[:1])
    with torch.inference_mode():
        wanted = space.runner.networks.head_motion(torch.from_numpy(frames[:1]).permute(0, 3, 1, 2) / 255).keypoints()
    assert np.allclose(space.keypoints(motion), wanted, atol=1e-5)


def test_another_identity_takes_the_motion(space, frames):
    motion, x_c = space.extract(frames), np.zeros((21, 3), np.float32)
    assert np.allclose(space.keypoints(motion, x_c), motion.s[..., None] * motion.delta + motion.t[:, None], atol=1e-6)


def test_a_frame_does_not_depend_on_what_came_with_it(space, frames):
    alone, joined = space.extract(frames[2:]), space.extract_many([frames[:2], frames[2:]])
    assert [len(motion) for motion in joined] == [2, 3]
    for name in ("x_c", "delta", "angles_deg", "t", "s"):
        assert np.array_equal(getattr(alone, name), getattr(joined[1], name)), name


def test_rendering_in_batches_and_at_once(space, frames):
    appearance = space.appearance(frames[0])
    x = space.keypoints(space.extract(frames))
    made = space.render(appearance, x[0], x)
    assert made.shape == (5, 512, 512, 3) and made.dtype == np.uint8
    assert np.abs(made[3:].astype(int) - space.render(appearance, x[0], x[3:])).max() <= 1
    assert made[0].std() > 1 and np.abs(made[0].astype(int) - made[4]).max() > 1


@pytest.mark.nightly
def test_compiled_networks_give_the_same_motion_and_pictures(space, frames):
    """The last batch is filled up, so that nothing is compiled twice."""
    compiled = torch_space(seeded_networks(TOY, 1), Runtime(batch=3, stitching=False, compile=True))
    motion, found = space.extract(frames), compiled.extract(frames)
    assert np.allclose(found.vector(), motion.vector(), atol=1e-4)
    x, appearance = space.keypoints(motion), space.appearance(frames[0])
    made = compiled.render(compiled.appearance(frames[0]), x[0], x)
    assert np.abs(made.astype(int) - space.render(appearance, x[0], x)).max() <= 1


def test_larger_crops_are_made_small(space, picture):
    small = space.extract(picture[None, :256, :256])
    import cv2

    large = cv2.resize(picture[:256, :256], (512, 512), interpolation=cv2.INTER_NEAREST)
    assert np.allclose(space.extract(large[None]).delta, small.delta, atol=1e-5)  # areas of 2 x 2 equal pixels


@pytest.mark.parametrize("bad", [np.zeros((1, 256, 200, 3), np.uint8), np.zeros((0, 256, 256, 3), np.uint8),
                                 np.zeros((1, 256, 256, 3), np.float32), np.zeros((256, 256, 3), np.uint8)])
def test_what_is_no_crop_is_refused(space, bad):
    with pytest.raises(ValueError, match="square crops"):
        space.extract(bad)


def test_stitching_is_applied_where_it_is_on(frames):
    networks = seeded_networks(TOY, 1)
    torch.nn.init.zeros_(networks.retargeting.stitching.mlp[-1].weight)
    networks.retargeting.stitching.mlp[-1].bias.data = torch.cat([torch.zeros(63), torch.tensor([0.2, 0.0])])
    spaces = {on: torch_space(networks, Runtime(stitching=on)) for on in (False, True)}
    appearance = spaces[True].appearance(frames[0])
    x = spaces[True].keypoints(appearance.motion)
    shifted = spaces[False].render(appearance, x[0], x + np.float32([0.2, 0, 0]))
    stitched, plain = (spaces[on].render(appearance, x[0], x).astype(int) for on in (True, False))
    assert np.abs(stitched - shifted).max() <= 1  # the shift is added in another precision
    assert np.abs(plain - shifted).max() > 10
