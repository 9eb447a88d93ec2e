"""A style of movement from a video."""

from __future__ import annotations

import numpy as np
import pytest

from models.motion.motion import Motion
from pipeline.animate.pose import DrivingError
from pipeline.animate.style import style_of
from pipeline.media.film import write_video
from tests.pipeline.animate.fakes import FakeDetector, FakeSpace

OWN = np.array([1.0, 0, 0, 0, 0, 10.0, 0], np.float32)


class Blinking(FakeSpace):
    """The corner's red is the yaw in degrees, dark blue in the corner shuts the lids."""

    knows_eyes = True

    def extract(self, frames: np.ndarray) -> Motion:
        found = super().extract(frames)
        found.delta[:, 0, 0] = frames[:, 0, 0, 2] / 255
        return found

    def lid_opening(self, points: np.ndarray) -> np.ndarray:
        return points[:, 0, 0]


def film(path, frames: int):
    """Yaw 40 and 60 degrees, two seconds each in turn; one blink of 0.2 s a second."""
    shades = np.linspace(0, 255, 128).astype(np.uint8)[:, None].repeat(128, 1)
    pictures = []
    for i in range(frames):
        picture = np.stack([np.full_like(shades, 40 if i // 50 % 2 == 0 else 60), shades, shades], -1)
        picture[:64, :64, 2] = 10 if i % 25 in range(10, 15) else 220
        pictures.append(picture)
    write_video(path, pictures, 25, crf=1)
    return path


def test_mean_and_deviation_around_the_usual_pose_and_the_rate_of_blinks(tmp_path):
    """Of 150 frames 100 have 40 degrees, the usual pose: the mean is 20 / 3 away, the deviation 20 sqrt(2) / 3."""
    style = style_of(film(tmp_path / "a.mp4", 150), OWN, Blinking(), FakeDetector())
    assert style.mean[5] == pytest.approx(10 + 20 / 3, abs=1) and style.std[5] == pytest.approx(20 * 2**0.5 / 3, abs=1)
    np.testing.assert_allclose(np.delete(style.std, 5), 0, atol=1e-4)
    assert style.blinks_per_min == pytest.approx(60)
    assert style_of(film(tmp_path / "b.mp4", 60), OWN, FakeSpace(), FakeDetector()).blinks_per_min is None


def test_a_short_video_shows_no_style(tmp_path):
    with pytest.raises(DrivingError, match=r"lasts 1.0 s: 2 s are the least"):
        style_of(film(tmp_path / "a.mp4", 25), OWN, Blinking(), FakeDetector())
